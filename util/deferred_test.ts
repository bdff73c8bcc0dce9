import { assertEquals, assertRejects } from "@std/assert";
import { adopt, callUser, Deferred, isStrayPromise, isThenable, quiet } from "./deferred.ts";
import { macrotasks } from "../tests/support/executors.ts";

const error = new Error("no");
const reject = () => Promise.reject(error);
const getter = {
  get then() {
    throw error;
  },
};
const twice = {
  then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
    resolve(Promise.resolve(1));
    reject(error);
    resolve(2);
    throw error;
  },
};

Deno.test("quiet() returns the same promise, which causes no unhandled rejection", async () => {
  const promise = Promise.reject(error);
  assertEquals(quiet(promise) === promise, true);
  await macrotasks(2); // the test runner reports an unhandled rejection
  assertEquals(await assertRejects(() => promise), error);
});

Deno.test("Deferred.rejected() and reject() cause no unhandled rejection", async () => {
  const deferred = new Deferred();
  deferred.reject(error);
  const rejected = Deferred.rejected(error);
  await macrotasks(2);
  assertEquals(await assertRejects(() => rejected), error);
});

Deno.test("callUser() passes on what a function throws or rejects with, once", async () => {
  const rejecting = { then: (_: unknown, failed: (reason: unknown) => void) => (failed(error), failed(error)) };
  const throwing = () => {
    throw error;
  };
  for (const call of [throwing, reject, () => rejecting, () => getter]) {
    const failures: unknown[] = [];
    callUser(call, (failure) => failures.push(failure));
    await macrotasks(2);
    assertEquals(failures, [error]);
  }
  for (const call of [() => 1, () => Promise.resolve(1), () => twice, () => new Promise(() => {})]) {
    callUser(call, () => {
      throw new Error("it has not failed");
    });
  }
  await macrotasks(2);
});

Deno.test("adopt() settles once, as the thenable does first", async () => {
  assertEquals(await adopt(twice as never), 1);
  assertEquals(await assertRejects(() => adopt(getter as never)), error);
});

Deno.test("isStrayPromise() finds thenables, and keeps their rejections quiet", async () => {
  assertEquals([reject(), twice, Promise.resolve()].map(isStrayPromise), [true, true, true]);
  assertEquals([1, null, undefined, {}, { then: 1 }, () => {}].map(isStrayPromise), [
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  assertEquals(isThenable(twice), true);
  await macrotasks(2);
});
