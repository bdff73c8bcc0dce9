/**
 * Promises that cannot harm the process: one that its owner settles, one that nobody need await, and calls whose answer
 * nobody waits for.
 *
 * A promise that rejects while nobody waits for it ends the process, and with it every run.
 *
 * @module
 */

/** Whether `await` waits for a value. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function";
}

const ignore = () => {};

/** Returns a promise that causes no unhandled rejection: it may be awaited later, or never. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, ignore);
  return promise;
}

/**
 * Calls a function of the user. Nobody waits for what it returns.
 *
 * @param failed Gets what the function throws or rejects with, once.
 */
export function callUser(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const answer = call();
    if (isThenable(answer)) adopt(answer).then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/** A promise of this runtime that settles once, as `thenable` does, even if that calls back twice or throws. */
export function adopt(thenable: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(thenable));
}

let resolveLast: (value: unknown) => void;
let rejectLast: (reason: unknown) => void;
/** One function for all, and not a closure for each. */
const capture = (resolve: typeof resolveLast, reject: typeof rejectLast): void => {
  resolveLast = resolve;
  rejectLast = reject;
};

/** Whether a function of the user answered with a promise, although it must not. Nobody waits for that promise. */
export function isStrayPromise(answer: unknown): boolean {
  if (!isThenable(answer)) return false;
  quiet(adopt(answer));
  return true;
}

export class Deferred<T = unknown> {
  declare readonly promise: Promise<T>;
  declare readonly resolve: (value: T) => void;
  readonly #reject: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise(capture as never);
    this.resolve = resolveLast;
    this.#reject = rejectLast;
  }

  /** A promise that is already rejected, as by {@linkcode reject}. */
  static rejected(reason: unknown): Promise<never> {
    return quiet(Promise.reject(reason));
  }

  /** Rejects. It never causes an unhandled rejection: the promise may be awaited later. */
  reject(reason: unknown): void {
    quiet(this.promise);
    this.#reject(reason);
  }
}
