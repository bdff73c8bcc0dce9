import { assertEquals, assertRejects } from "@std/assert";
import { abortable, onAbort } from "./abortable.ts";

/** An abort signal that counts its listeners. */
function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  const count = { listeners: 0 };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count.listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count.listeners--;
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, count };
}

/** A promise that counts its reactions. */
function watched<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const count = { reactions: 0 };
  const { then } = promise;
  promise.then = ((...args: Parameters<typeof then>) => {
    count.reactions++;
    return then.apply(promise, args);
  }) as typeof then;
  return { promise, resolve, reject, count };
}

Deno.test("onAbort() adds one listener to a signal, however many share it, and removes it after the last", () => {
  const { signal, count } = counted();
  const forgets = Array.from({ length: 1000 }, () => onAbort(signal, () => {}));
  assertEquals(count.listeners, 1);
  for (const forget of forgets.slice(1)) forget();
  assertEquals(count.listeners, 1);
  forgets[0]();
  forgets[0]();
  assertEquals(count.listeners, 0);
  onAbort(signal, () => {})();
  assertEquals(count.listeners, 0);
});

Deno.test("onAbort() calls all that wait, in order, and none that was forgotten", () => {
  const { controller, signal } = counted();
  const log: number[] = [];
  const forgets = [0, 1, 2, 3].map((i) =>
    onAbort(signal, () => {
      log.push(i);
      if (i === 0) forgets[1]();
    })
  );
  forgets[2]();
  controller.abort();
  assertEquals(log, [0, 3]);
});

Deno.test("abortable() settles as the promise does, and leaves nothing", async () => {
  const { signal, count } = counted();
  assertEquals(await abortable(Promise.resolve(1), signal), 1);
  assertEquals(await abortable(Promise.reject(2), signal).catch((reason) => reason), 2);
  const { promise, resolve, count: { reactions } } = watched<number>();
  const waits = Array.from({ length: 5 }, () => abortable(promise, signal));
  assertEquals(reactions, 0);
  resolve(3);
  assertEquals(await Promise.all(waits), [3, 3, 3, 3, 3]);
  assertEquals(await abortable(promise, signal), 3);
  assertEquals(count.listeners, 0);
});

Deno.test("abortable() rejects with the reason of the signal, also if it is aborted already", async () => {
  const { controller, signal } = counted();
  const { promise, reject } = watched<number>();
  const waits = [abortable(promise, signal), abortable(promise, signal)];
  controller.abort(new Error("enough"));
  for (const wait of [...waits, abortable(promise, signal)]) await assertRejects(() => wait, Error, "enough");
  reject(new Error("late")); // not unhandled
  await assertRejects(() => abortable(Promise.reject(new Error("late")), signal), Error, "enough");
});

Deno.test("abortable() keeps nothing of an aborted wait at the promise", async () => {
  const { promise, resolve, count } = watched<number>();
  for (let i = 0; i < 100; i++) {
    const controller = new AbortController();
    const wait = abortable(promise, controller.signal);
    controller.abort(i);
    assertEquals(await wait.catch((reason) => reason), i);
  }
  assertEquals(count.reactions, 1);
  const last = abortable(promise, new AbortController().signal);
  resolve(5);
  assertEquals(await last, 5);
});

Deno.test("abortable() adds one listener to a signal that 16,000 waits share", async () => {
  const { controller, signal, count } = counted();
  const { promise } = watched<number>();
  const waits = Promise.allSettled(Array.from({ length: 16_000 }, () => abortable(promise, signal)));
  assertEquals(count.listeners, 1);
  controller.abort("enough");
  const reasons = await waits;
  assertEquals(new Set(reasons.map((one) => one.status === "rejected" && one.reason)), new Set(["enough"]));
});

Deno.test("onAbort() does not need `this` of a listener, which old dates of workerd do not set", () => {
  const { controller, signal } = counted();
  const { addEventListener } = signal;
  signal.addEventListener = (type: string, listener: unknown) => {
    const call = listener as (this: unknown, event: Event) => void;
    addEventListener.call(signal, type, (event) => call.call(undefined, event));
  };
  const log: number[] = [];
  onAbort(signal, () => log.push(1));
  controller.abort();
  assertEquals(log, [1]);
});
