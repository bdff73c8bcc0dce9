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
const callbacksOf = /* @__PURE__ */ new WeakMap<AbortSignal, Set<() => void>>();

function abort({ currentTarget }: Event): void { // not `this`: workerd sets it from compatibility date 2024-08-01 on
  callAll(callbacksOf.get(currentTarget as AbortSignal)!);
}

function callAll(callbacks: ReadonlySet<() => void>): void {
  for (const call of callbacks) call();
}

/**
 * Calls `callback`, a new function for each call that does not throw, when `signal` is aborted.
 *
 * @returns Forgets the callback.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = callbacksOf.get(signal);
  if (callbacks === undefined) {
    callbacksOf.set(signal, callbacks = new Set());
    signal.addEventListener("abort", abort, { once: true });
  }
  const all = callbacks.add(callback);
  return () => {
    if (!all.delete(callback) || all.size > 0) return;
    signal.removeEventListener("abort", abort);
    callbacksOf.delete(signal);
  };
}

const waitsFor = /* @__PURE__ */ new WeakMap<Promise<unknown>, Set<() => void>>();

/** What is called once when a promise that is pending, as far as is known, has settled. */
function waitsOf(promise: Promise<unknown>): Set<() => void> {
  let waits = waitsFor.get(promise);
  if (waits === undefined) {
    const all = waits = new Set<() => void>();
    waitsFor.set(promise, all);
    const end = () => {
      waitsFor.delete(promise);
      callAll(all);
    };
    promise.then(end, end);
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
    const settle = () => {
      forget();
      resolve(promise);
    };
    const forget = onAbort(signal, () => {
      waits.delete(settle);
      forget();
      reject(signal.reason);
    });
    waits.add(settle);
  });
}
