/**
 * A promise that its owner settles, and a test for thenables.
 *
 * @module
 */

/** Whether `await` waits for a value. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && (typeof value === "object" || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function";
}

export class Deferred<T = unknown> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A promise that is already rejected, as by {@linkcode reject}. */
  static rejected(reason: unknown): Promise<never> {
    const deferred = new Deferred<never>();
    deferred.reject(reason);
    return deferred.promise;
  }

  /** Rejects. It never causes an unhandled rejection: the promise may be awaited later. */
  reject(reason: unknown): void {
    this.promise.catch(() => {});
    this.#reject(reason);
  }
}
