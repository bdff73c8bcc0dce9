/** The errors, and their records in the history: what is thrown, and what is read back on the first run and on replay. */

import { assert, assertEquals, assertInstanceOf, assertNotInstanceOf, assertStrictEquals } from "@std/assert";
import {
  CanceledError,
  CompensationError,
  Executor,
  InMemoryStore,
  NonDeterminismError,
  NonRetryableError,
  RetryAfterError,
  retryDelayMs,
  TimeoutError,
  VirtualClock,
  WorkflowError,
} from "@rockpool/workflow";
import { runInNewContext } from "node:vm";
import { fromErrorRecord, toErrorRecord } from "./history/error_record.ts";
import { codeOf } from "./errors.ts";
import { toStored } from "./history/value.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

/** Hides a type from the compiler. */
const assertIsA: (value: unknown, Class: Anything) => void = assertInstanceOf;

/** Records an error, copies the record as a store does, and makes the error again. */
const roundTrip = (thrown: unknown): Anything => fromErrorRecord(structuredClone(toErrorRecord(thrown)));

const cause = new Error("underneath");
const ours: [error: WorkflowError, data: Record<string, unknown>][] = [
  [new WorkflowError("not_found", "m", { cause }), { code: "not_found" }],
  [new CanceledError("m", "why"), { code: "canceled", reason: "why" }],
  [new CanceledError("m"), { code: "canceled", reason: undefined }],
  [new TimeoutError("m", 5, { cause }), { code: "timeout", timeoutMs: 5 }],
  [new NonRetryableError("m", { cause }), { code: "non_retryable" }],
  [new RetryAfterError("m", 1500, { cause }), { code: "retry_after", delayMs: 1500 }],
  [new CompensationError("m", ["a"], { cause }), { code: "compensation_failed", errors: ["a"] }],
  [
    new NonDeterminismError("m", { expected: "e", actual: "a", position: 3 }),
    { code: "non_deterministic", expected: "e", actual: "a", position: 3 },
  ],
];

for (const [error, data] of ours) {
  Deno.test(`${error.name} carries its data and is what it says it is: ${JSON.stringify(data)}`, () => {
    assertInstanceOf(error, WorkflowError);
    assertInstanceOf(error, Error);
    assertEquals({ ...error }, data);
    assertEquals([error.name, error.message], [error.constructor.name, "m"]);
  });

  Deno.test(`${error.name} comes back from the history as itself: ${JSON.stringify(data)}`, () => {
    for (const back of [roundTrip(error), roundTrip(roundTrip(error))]) {
      assertStrictEquals(back.constructor, error.constructor);
      assertIsA(back, WorkflowError);
      assertEquals({ ...back }, data);
      assertEquals([back.name, back.message, back.stack], [error.name, "m", error.stack]);
      assertEquals(back.cause?.message, (error.cause as Error | undefined)?.message);
    }
  });
}

Deno.test("WorkflowError has the name that a subclass gives itself", () => {
  class Mine extends WorkflowError {
    override name = "Mine";
  }
  const back = roundTrip(new Mine("closed", "m"));
  assertEquals([back.name, back.code], ["Mine", "closed"]);
});

for (const Builtin of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
  Deno.test(`${Builtin.name} comes back from the history as itself`, () => {
    const error = new Builtin("m", { cause });
    const back = roundTrip(error);
    assertStrictEquals(Object.getPrototypeOf(back), Builtin.prototype);
    assertEquals([back.name, back.message, back.stack, Object.keys(back)], [Builtin.name, "m", error.stack, []]);
    assertEquals([back.cause.message, back.cause.stack], ["underneath", cause.stack]);
  });
}

Deno.test("toErrorRecord() leaves out what the error does not have", () => {
  const error = new Error("m");
  assertEquals(toErrorRecord(error), { name: "Error", message: "m", stack: error.stack! });
  assertEquals(Object.hasOwn(roundTrip(error), "cause"), false);
});

Deno.test("toErrorRecord() returns a frozen copy that can be stored again", () => {
  const error = Object.assign(new AggregateError([new Error("a", { cause: { list: [1] } })], "m"), { tags: ["x"] });
  const record: Anything = toErrorRecord(error);
  for (const part of [record, record.data, record.data.tags, record.errors, record.errors[0].cause]) {
    assert(Object.isFrozen(part));
  }
  assertEquals(toStored(record, "record"), record);
});

Deno.test("fromErrorRecord() makes an Error with the name, message, stack and data of a custom class", () => {
  class PaymentError extends Error {
    override name = "PaymentError";
    #secret = 1;
    readonly order: number;
    readonly items: readonly string[];
    constructor(order: number, items: readonly string[]) {
      super(`Order ${order} failed`);
      this.order = order;
      this.items = items;
    }
    get more() {
      return this.#secret;
    }
  }
  const error = new PaymentError(7, ["a"]);
  const back = roundTrip(error);
  assertNotInstanceOf(back, PaymentError);
  assertStrictEquals(Object.getPrototypeOf(back), Error.prototype);
  assertEquals([back.name, back.message, back.stack], ["PaymentError", "Order 7 failed", error.stack]);
  assertEquals({ ...back }, { order: 7, items: ["a"] });
});

for (const name of ["TimeoutError", "NonRetryableError", "CanceledError", "AbortError", "DataCloneError"]) {
  Deno.test(`fromErrorRecord() does not take a custom class for ours or the platform's when its name is ${name}`, () => {
    for (const data of [{}, { code: "ETIMEDOUT" }, { code: 404 }, { code: 0 }]) {
      const back = roundTrip(Object.assign(new Error("m"), { name, ...data }));
      assertStrictEquals(Object.getPrototypeOf(back), Error.prototype);
      assertEquals([back.name, { ...back }], [name, data]);
    }
  });
}

for (const name of ["constructor", "__proto__", "toString", ""]) {
  Deno.test(`fromErrorRecord() makes an Error of what is named "${name}"`, () => {
    const error = new Error("m");
    error.name = name;
    const back = roundTrip(error);
    assertEquals([back.name, Object.getPrototypeOf(back) === Error.prototype], [name, true]);
  });
}

Deno.test("toErrorRecord() records the name and the cause once when a class declares them as fields", () => {
  class Fields extends Error {
    override name = "Fields";
    override message = "m";
    override cause = "why";
  }
  const { name, message, cause, data } = toErrorRecord(new Fields());
  assertEquals([name, message, cause?.thrown, data], ["Fields", "m", { value: "why" }, undefined]);
});

Deno.test("toErrorRecord() keeps a chain of causes, with what is no error at its end", () => {
  const error = new Error("a", { cause: new TypeError("b", { cause: new TimeoutError("c", 5, { cause: "end" }) }) });
  const back = roundTrip(error);
  assertIsA(back.cause, TypeError);
  assertIsA(back.cause.cause, TimeoutError);
  assertEquals([back.cause.cause.timeoutMs, back.cause.cause.cause], [5, "end"]);
});

Deno.test("toErrorRecord() cuts a cycle of causes", () => {
  const a = new Error("a");
  const b = new Error("b", { cause: a });
  a.cause = b;
  const back = roundTrip(a);
  assertEquals([back.cause.message, back.cause.cause.message], ["b", "a"]);
});

Deno.test("toErrorRecord() cuts a chain of causes that is very long", () => {
  let error = new Error("end");
  for (let i = 0; i < 100_000; i++) error = new Error(`${i}`, { cause: error });
  let depth = 0;
  for (let record = toErrorRecord(error).cause; record; record = record.cause) depth++;
  assertEquals(depth, 16);
});

Deno.test("toErrorRecord() keeps the members of an AggregateError", () => {
  const members = [new RangeError("a", { cause }), "b", new AggregateError([new Error("c")])];
  const back = roundTrip(Object.assign(new AggregateError(members, "m", { cause }), { n: 1 }));
  assertIsA(back, AggregateError);
  assertIsA(back.errors[0], RangeError);
  assertIsA(back.errors[2], AggregateError);
  assertEquals([back.errors[0].cause.message, back.errors[1], back.errors[2].errors[0].message], [
    "underneath",
    "b",
    "c",
  ]);
  assertEquals([back.message, back.cause.message, back.n, back.errors.length], ["m", "underneath", 1, 3]);
});

Deno.test("toErrorRecord() keeps both errors of a SuppressedError", () => {
  const error = new SuppressedError(new TimeoutError("late", 5), new AggregateError([new RangeError("a")]), "m");
  for (const back of [roundTrip(error), roundTrip(roundTrip(error))]) {
    assertStrictEquals(back.constructor, SuppressedError);
    assertIsA(back.error, TimeoutError);
    assertIsA(back.suppressed.errors[0], RangeError);
    assertEquals([back.message, back.error.timeoutMs, Object.keys(back)], ["m", 5, []]);
  }
  assertEquals(roundTrip(new SuppressedError("text", { a: 1 })).error, "text");
});

Deno.test("toErrorRecord() keeps both errors of what stands for a SuppressedError in older runtimes", () => {
  const errors = { error: new TimeoutError("late", 5), suppressed: new RangeError("a") };
  const back = roundTrip(Object.assign(new Error("m"), { name: "SuppressedError", ...errors }));
  assertIsA(back, SuppressedError);
  assertIsA(back.error, TimeoutError);
  assertIsA(back.suppressed, RangeError);
});

Deno.test("toErrorRecord() keeps the errors in an error of a subclass and of another realm", () => {
  class Mine extends AggregateError {
    override name = "Mine";
  }
  class MySuppressed extends SuppressedError {
    override name = "MySuppressed";
  }
  const foreign = runInNewContext('new AggregateError([new RangeError("a")], "m")');
  for (const error of [new Mine([new RangeError("a")], "m"), foreign]) {
    const back = roundTrip(error);
    assertStrictEquals(Object.getPrototypeOf(back), AggregateError.prototype);
    assertIsA(back.errors[0], RangeError);
    assertEquals(back.name, error.name);
  }
  const back = roundTrip(new MySuppressed(new RangeError("a"), 1, "m"));
  assertStrictEquals(Object.getPrototypeOf(back), SuppressedError.prototype);
  assertEquals([back.name, back.error.message, back.suppressed], ["MySuppressed", "a", 1]);
});

Deno.test("toErrorRecord() keeps the classes of the errors in a CompensationError", () => {
  const error = new CompensationError("m", [new TimeoutError("late", 5), "text"], { cause: new RangeError("a") });
  for (const back of [roundTrip(error), roundTrip(roundTrip(error))]) {
    assertStrictEquals(back.constructor, CompensationError);
    assertIsA(back.errors[0], TimeoutError);
    assertIsA(back.cause, RangeError);
    assertEquals([back.errors[1], Object.keys(back).sort()], ["text", ["code", "errors"]]);
  }
  const older = { name: "CompensationError", message: "m", data: { code: "compensation_failed", errors: ["text"] } };
  assertEquals((fromErrorRecord(older) as CompensationError).errors, ["text"]); // as earlier releases stored it
});

Deno.test("toErrorRecord() keeps data whose name is that of a part or of a method", () => {
  const data = { errors: "none", error: { n: 1 }, suppressed: [2], constructor: 3, toString: 4 };
  assertEquals({ ...roundTrip(Object.assign(new Error("m"), data)) }, data);
});

Deno.test("fromErrorRecord() makes an AggregateError with a list, whatever its errors were", () => {
  for (const errors of [5, undefined, { length: 4e9 }]) {
    assertEquals(roundTrip(Object.assign(new AggregateError([1], "m"), { errors })).errors, []);
  }
});

Deno.test("toErrorRecord() reads no more members than it records", () => {
  const holes = new Array(2 ** 32 - 1);
  const endless = new Proxy([], { get: (target, key) => key === "length" ? 2 ** 53 - 1 : Reflect.get(target, key) });
  for (const errors of [holes, endless]) {
    assert(roundTrip(Object.assign(new AggregateError([], "m"), { errors })).errors.length <= 1_000);
  }
});

Deno.test("toErrorRecord() cuts an AggregateError whose members multiply", () => {
  let round = new AggregateError([]);
  for (let i = 0; i < 8; i++) {
    round = new AggregateError(Array.from({ length: 10 }, () => new Error("m", { cause: round })));
  }
  round.errors.push(round);
  let count = 0;
  JSON.stringify(toErrorRecord(round), (key, value) => (count += key === "message" ? 1 : 0, value));
  assert(count > 500 && count < 2_000, `${count} records`);
});

Deno.test("toErrorRecord() keeps errors that are the data of another class", () => {
  const back = roundTrip(Object.assign(new Error("m"), { errors: [{ path: "a", message: "wrong" }] }));
  assertEquals(back.errors, [{ path: "a", message: "wrong" }]);
});

for (const name of ["AbortError", "TimeoutError", "DataCloneError", "NotFoundError"]) {
  Deno.test(`A DOMException ${name} comes back from the history as itself`, () => {
    const error = Object.assign(new DOMException("m", name), { n: 1 });
    Object.defineProperty(error, "cause", { value: cause });
    for (const back of [roundTrip(error), roundTrip(roundTrip(error))]) {
      assertIsA(back, DOMException);
      assertNotInstanceOf(back, TimeoutError);
      assertEquals([back.name, back.message, back.code, back.stack], [name, "m", error.code, error.stack]);
      assertEquals([back.n, back.cause.message], [1, "underneath"]);
    }
  });
}

Deno.test("A DOMException without a code of its own comes back from the history as an Error of its name", () => {
  const back = roundTrip(new DOMException("m", "NotAllowedError"));
  assertEquals([back.name, back.message, back instanceof Error], ["NotAllowedError", "m", true]);
});

Deno.test("The reason of an aborted signal comes back from the history as itself", () => {
  const back = roundTrip(AbortSignal.abort().reason);
  assertIsA(back, DOMException);
  assertEquals(back.name, "AbortError");
});

for (const thrown of ["text", "", 0, -0, NaN, 10n, true, null, undefined, { a: [1] }, [1, undefined], new Date(5)]) {
  Deno.test(`toErrorRecord() keeps a thrown value that is no error: ${Deno.inspect(thrown)}`, () => {
    const back = roundTrip(thrown);
    assertEquals(back, thrown);
    assert(typeof thrown === "object" || Object.is(back, thrown));
  });
}

Deno.test("toErrorRecord() describes a thrown value that is no error", () => {
  const described = [undefined, "x", { a: 1 }, () => {}, class Money {}, Symbol("s")].map(toErrorRecord);
  assertEquals(described.map(({ name, message }) => `${name}: ${message}`), [
    "Error: Thrown: undefined",
    'Error: Thrown: "x"',
    "Error: Thrown: an Object",
    "Error: Thrown: a function",
    'Error: Thrown: a function "Money"',
    "Error: Thrown: Symbol(s)",
  ]);
});

Deno.test("toErrorRecord() puts a description in the place of a thrown value that cannot be stored", () => {
  assertEquals([roundTrip(() => {}), roundTrip({ f() {} })], ["a function", "an Object"]);
});

Deno.test("toErrorRecord() leaves out the data that cannot be stored, and keeps the rest", () => {
  const error = Object.assign(new Error("m"), {
    request() {},
    socket: { fd: 1, close() {} },
    status: 503,
    at: new Date(5),
  });
  assertEquals({ ...roundTrip(error) }, { status: 503, at: new Date(5) });
});

Deno.test("fromErrorRecord() returns data that is not shared", () => {
  const record = toErrorRecord(Object.assign(new Error("m"), { at: new Date(5), list: [1] }));
  const [a, b] = [fromErrorRecord(record), fromErrorRecord(record)] as Anything[];
  a.at.setTime(6);
  a.list = [];
  assertEquals([b.at, b.list], [new Date(5), [1]]);
});

Deno.test("toErrorRecord() does not let data change a prototype", () => {
  const error = new Error("m");
  Object.defineProperty(error, "__proto__", { value: { admin: true }, enumerable: true });
  assertEquals(toErrorRecord(error).data, undefined);
});

Deno.test("fromErrorRecord() takes data that a class has no setter for", () => {
  const record = { name: "AbortError", message: "m", data: { code: 20, name: "other", message: "other" } };
  assertInstanceOf(fromErrorRecord(record), DOMException);
});

/** An object on which every operation throws. */
const hostile = (target: object) => {
  const boo = () => {
    throw new Error("boo");
  };
  const traps = ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"].map((trap) => [trap, boo]);
  return new Proxy(target, Object.fromEntries(traps));
};
const throwing = (key: string, of: object = new Error("m")) =>
  Object.defineProperty(of, key, {
    enumerable: true,
    get() {
      throw new Error("boo");
    },
  });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const nasty: [what: string, thrown: unknown, expected: object][] = [
  ["name throws", throwing("name"), { name: "Error", message: "m" }],
  ["message throws", throwing("message"), { name: "Error", message: "" }],
  ["stack throws", throwing("stack"), { name: "Error", message: "m" }],
  ["cause throws", throwing("cause"), { name: "Error", message: "m" }],
  ["members throw", throwing("errors", new AggregateError([], "m")), { name: "AggregateError", message: "m" }],
  ["members are a revoked proxy", Object.assign(new AggregateError([], "m"), { errors: revoked() }), { message: "m" }],
  ["data throws", Object.assign(throwing("data"), { n: 1 }), { message: "m", data: { n: 1 } }],
  ["name is a symbol", Object.assign(new Error("m"), { name: Symbol("s") }), { name: "Error", message: "m" }],
  ["message is a symbol", Object.assign(new Error(), { message: Symbol("s") }), { message: "Symbol(s)" }],
  ["message is no text", Object.assign(new Error(), { message: Object.create(null) }), { message: "" }],
  ["stack is no text", Object.assign(new Error("m"), { stack: 5 }), { message: "m" }],
  ["cause is hostile", new Error("m", { cause: hostile({}) }), { message: "m" }],
  ["it is a hostile error", hostile(new Error("m")), { name: "Error" }],
  ["it is a hostile object", hostile({}), { name: "Error" }],
  ["it is a revoked proxy", revoked(), { name: "Error", message: "Thrown: an object" }],
  ["its tag throws", throwing("x", throwing(Symbol.toStringTag as unknown as string, {})), { name: "Error" }],
  ["its class's name is no text", { constructor: { name: Symbol("s") }, f() {} }, { message: "Thrown: an object" }],
];

for (const [what, thrown, expected] of nasty) {
  Deno.test(`toErrorRecord() does not throw when ${what}`, () => {
    const record = toErrorRecord(thrown) as Anything;
    for (const [key, value] of Object.entries(expected)) assertEquals(record[key], value);
    assertInstanceOf(roundTrip(thrown) instanceof Error ? roundTrip(thrown) : new Error(), Error);
  });
}

/** Another copy of the module: a program has two if a package from npm brings its own. */
const otherCopy = async (): Promise<typeof import("./errors.ts")> =>
  await import(`${import.meta.resolve("./errors.ts")}?copy`);

Deno.test("codeOf() knows an error of another copy of the package, and nothing else that has a code", async () => {
  const other = await otherCopy();
  const error = new other.WorkflowError("conflict", "no");
  assertNotInstanceOf(error, WorkflowError);
  assertEquals([error, new other.NonRetryableError("no"), new WorkflowError("closed", "no")].map(codeOf), [
    "conflict",
    "non_retryable",
    "closed",
  ]);
  const hostile = new Proxy({}, { get: () => assert(false) });
  const foreign = Object.assign(new Error("no"), { code: "conflict" });
  assertEquals(
    [foreign, { code: "conflict" }, null, undefined, "conflict", hostile].map(codeOf),
    Array(6).fill(undefined),
  );
});

Deno.test("retryDelayMs() knows the errors of another copy of the package", async () => {
  const other = await otherCopy();
  const delayOf = (error: unknown) => retryDelayMs({ jitter: false }, { attempt: 1, error, random: 0 });
  assertEquals([new Error("no"), new other.NonRetryableError("no"), new other.RetryAfterError("no", 7)].map(delayOf), [
    100,
    null,
    7,
  ]);
});

Deno.test("Executor.execute() rejects with the code of a store that another copy of the package made", async () => {
  const other = await otherCopy();
  let appends = 0;
  const store = new class extends InMemoryStore {
    override append(): never {
      appends++;
      throw new other.WorkflowError("capacity_exceeded", "The store is full");
    }
  }();
  await using executor = new Executor({ store, clock: new VirtualClock() });
  const error = await executor.execute(() => Promise.resolve(1)).catch((error) => error);
  assertEquals([error.code, appends], ["capacity_exceeded", 1]);
});
