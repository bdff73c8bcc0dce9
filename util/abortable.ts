/**
 * Waits that can be aborted. Very many of them may share one abort signal, or wait for one promise.
 *
 * 1. An abort signal has one listener, however many calls share it: adding one takes a runtime linear time.
 * 2. A promise has one reaction, however many waits there are: a reaction cannot be removed, and would keep an aborted wait in
 *    memory as long as the promise is pending.
 *
 * @module
 */

/** What is called when a signal is aborted. */
class Listeners {
  readonly callbacks = new Set<() => void>();
  readonly abort = (): void => {
    for (const call of this.callbacks) call();
  };
}

const listenersOf = /* @__PURE__ */ new WeakMap<AbortSignal, Listeners>();

/**
 * Calls `callback`, a new function for each call that does not throw, when `signal` is aborted.
 *
 * @returns Forgets the callback.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let listeners = listenersOf.get(signal);
  if (listeners === undefined) {
    listenersOf.set(signal, listeners = new Listeners());
    signal.addEventListener("abort", listeners.abort, { once: true });
  }
  const { callbacks, abort } = listeners;
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    signal.removeEventListener("abort", abort);
    listenersOf.delete(signal);
  };
}

/** Settles as a promise does, unless it is dropped before. */
interface Wait {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

const waitsFor = /* @__PURE__ */ new WeakMap<Promise<unknown>, Set<Wait>>();

/** The waits for a promise that is pending, as far as is known. */
function waitsOf(promise: Promise<unknown>): Set<Wait> {
  let waits = waitsFor.get(promise);
  if (waits === undefined) {
    const all = waits = new Set<Wait>();
    waitsFor.set(promise, all);
    const end = (settle: (wait: Wait) => void) => {
      waitsFor.delete(promise);
      for (const wait of all) settle(wait);
    };
    promise.then((value) => end((wait) => wait.resolve(value)), (reason) => end((wait) => wait.reject(reason)));
  }
  return waits;
}

/** Waits for `promise`, or rejects with the reason of `signal` as soon as that is aborted. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => {}); // nobody waits for it
    return Promise.reject(signal.reason);
  }
  const waits = waitsOf(promise);
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => {
      waits.delete(wait);
      forget();
      reject(signal.reason);
    });
    const wait: Wait = {
      resolve(value) {
        forget();
        resolve(value as T);
      },
      reject(reason) {
        forget();
        reject(reason);
      },
    };
    waits.add(wait);
  });
}
