/**
 * Stands in for `@std/async` where JSR does not answer: `delay`, `deadline` and `abortable`.
 *
 * @module
 */

/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait; the promise rejects with its reason. */
  signal?: AbortSignal;
  /** Whether the wait keeps the process alive. @default {true} */
  persistent?: boolean;
}

/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait; the promise rejects with its reason. */
  signal?: AbortSignal;
}

/** `setTimeout` fires at once on more than this. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds, however many. */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    let left = Math.trunc(Math.max(ms, 0) || 0);
    let id: ReturnType<typeof setTimeout>;
    const wait = () => {
      const part = Math.min(left, MAX_TIMEOUT_MS);
      left -= part;
      id = setTimeout(left > 0 ? wait : done, part);
      if (!persistent) Deno.unrefTimer(+id);
    };
    const done = () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    };
    const abort = () => {
      clearTimeout(id);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    wait();
  });
}

/** Settles as `p` does, but rejects with a `TimeoutError` if that takes longer than `ms`. */
export async function deadline<T>(
  p: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const signals = options.signal ? [options.signal] : [];
  if (ms < Number.MAX_SAFE_INTEGER) signals.push(AbortSignal.timeout(ms));
  return await abortable(p, AbortSignal.any(signals));
}

/** Follows a promise or an async iterable until the signal aborts, then rejects with its reason. */
export function abortable<T>(p: Promise<T>, signal: AbortSignal): Promise<T>;
export function abortable<T>(p: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T>;
export function abortable<T>(
  p: Promise<T> | AsyncIterable<T>,
  signal: AbortSignal,
): Promise<T> | AsyncGenerator<T> {
  return p instanceof Promise ? untilAborted(p, signal) : iterateUntilAborted(p, signal);
}

async function untilAborted<T>(p: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([aborted, p]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function* iterateUntilAborted<T>(
  p: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  signal.throwIfAborted();
  const iterator = p[Symbol.asyncIterator]();
  try {
    while (true) {
      const { done, value } = await untilAborted(iterator.next(), signal);
      if (done) return value;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
