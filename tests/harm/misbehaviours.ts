/**
 * What user code can do wrong when it is called.
 *
 * @module
 */

import type { Executor, InMemoryStore, VirtualClock } from "@rockpool/workflow";

/** What a callback can reach, and what it left behind. */
export interface World {
  readonly executor: Executor;
  readonly store: InMemoryStore;
  readonly clock: VirtualClock;
}

/** What a callback does instead of what it should. `well` is what it should return. */
export type Misbehaviour = (world: World, well: () => unknown) => unknown;

export const fail = (): never => {
  throw new Error("bad callback");
};

/** A value that throws whatever is done with it. */
export const hostile = (): object =>
  new Proxy(() => {}, {
    apply: fail,
    get: fail,
    set: fail,
    has: fail,
    ownKeys: fail,
    getPrototypeOf: fail,
    getOwnPropertyDescriptor: fail,
  });

const rejected = (reason: unknown): Promise<never> => {
  const promise = Promise.reject(reason);
  promise.catch(() => {}); // what user code makes is user code's matter
  return promise;
};

/** A promise that rejects, and that the callback hands over: whoever gets it must handle it. */
const handedOver = (reason: unknown): Promise<never> => Promise.reject(reason);

const never = (): Promise<never> => new Promise(() => {});
const unreadable = () => Object.defineProperty({}, "then", { get: fail });
const thenable = (then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void) => ({ then });

/** Values that a callback throws, and reasons of aborted signals. */
export const THROWN: Readonly<Record<string, () => unknown>> = {
  "an Error": () => new Error("bad callback"),
  "undefined": () => undefined,
  "null": () => null,
  "a text": () => "bad callback",
  "a symbol": () => Symbol("bad"),
  "a function": () => () => {},
  "a hostile proxy": hostile,
  "an object without a prototype": () => Object.create(null),
  "an Error whose message cannot be read": () => Object.defineProperty(new Error(), "message", { get: fail }),
  "a frozen Error without a stack": () => Object.freeze(Object.defineProperty(new Error("x"), "stack", { get: fail })),
  "an object whose toString throws": () => ({ toString: fail, toJSON: fail, valueOf: fail }),
  "a promise that rejects": () => rejected(new Error("bad callback")),
  "a promise that never settles": never,
  "a thenable": () => thenable((resolve) => resolve(1)),
  "a thenable that cannot be read": unreadable,
};

/** Values that a callback returns. */
const RETURNED: Readonly<Record<string, () => unknown>> = {
  "undefined": () => undefined,
  "null": () => null,
  "true": () => true,
  "NaN": () => NaN,
  "-1": () => -1,
  "a bigint": () => 10n ** 400n,
  "a symbol": () => Symbol("bad"),
  "a function": () => fail,
  "a class": () => class Bad {},
  "a huge string": () => "x".repeat(100_000),
  "an array": () => [1, fail],
  "an empty object": () => ({}),
  "an object without a prototype": () => Object.create(null),
  "an object whose getters throw": () => Object.defineProperty({}, "a", { get: fail, enumerable: true }),
  "a hostile proxy": hostile,
  "a promise of NaN": () => Promise.resolve(NaN),
  "a promise of a function": () => Promise.resolve(fail),
  "a promise of a hostile object": () =>
    Promise.resolve(Object.defineProperty({}, "a", { get: fail, enumerable: true })),
  "a promise that rejects": () => handedOver(new Error("bad callback")),
  "a promise that rejects with undefined": () => handedOver(undefined),
  "a promise that rejects with a hostile proxy": () => handedOver(hostile()),
  "a promise that rejects with a promise": () => handedOver(rejected(1)),
  "a thenable that rejects": () => thenable((_, reject) => reject(new Error("bad callback"))),
  "a thenable that throws": () => thenable(fail),
  "a thenable that cannot be read": unreadable,
  "a thenable that calls back twice": () =>
    thenable((resolve, reject) => {
      resolve(1);
      reject(new Error("bad callback"));
      resolve(2);
      fail();
    }),
  "a thenable that resolves to a promise that rejects": () =>
    thenable((resolve) => resolve(handedOver(new Error("x")))),
};

/** Calls of the executor from within a callback. Their promises are dropped; what is done with them is user code's matter. */
const REENTRANT: Readonly<Record<string, (world: World) => unknown>> = {
  "cancels its workflow": ({ executor }) => executor.cancel("harmed", "from a callback"),
  "terminates its workflow": ({ executor }) => executor.terminate("harmed", "from a callback"),
  "signals its workflow": ({ executor }) => executor.signal("harmed", "from a callback", 1),
  "updates its workflow": ({ executor }) => executor.update("harmed", "from a callback", 1),
  "queries its workflow": ({ executor }) => executor.query("harmed", "from a callback"),
  "describes its workflow": ({ executor }) => executor.describe("harmed", { history: true }),
  "recovers": ({ executor }) => executor.recover(),
  "lists the runs": ({ executor }) => executor.openRuns(),
  "replaces its workflow": ({ executor }) => executor.execute(() => "other", { id: "harmed", onConflict: "replace" }),
  "deletes its workflow": ({ store }) => store.delete("harmed"),
  "executes another workflow": ({ executor }) => executor.execute(() => "other"),
  "moves the clock": ({ clock }) => clock.advance(1),
};

const enter = (world: World, call: (world: World) => unknown): void => {
  Promise.resolve(call(world)).catch(() => {});
};

/** Whether a misbehaviour ends the executor, so that no other run of it completes. */
export const CLOSES = "closes the executor";
/** Whether a callback never answers. */
export const isNever = (name: string): boolean => name.startsWith("never");

export const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  ...Object.fromEntries(
    Object.entries(THROWN).map(([name, make]) => [`throws ${name}`, () => {
      throw make();
    }]),
  ),
  ...Object.fromEntries(Object.entries(RETURNED).map(([name, make]) => [`returns ${name}`, make])),
  "never answers": never,
  "never answers, as a thenable": () => thenable(() => {}),
  ...Object.fromEntries(
    Object.entries(REENTRANT).map(([name, call]) => [name, (world: World, well: () => unknown) => {
      // Once: a callback that is called because of its own call would go on for ever.
      if (!entered.has(world)) {
        entered.add(world);
        enter(world, call);
      }
      return well();
    }]),
  ),
  [CLOSES]: (world, well) => {
    enter(world, ({ executor }) => executor.close());
    return well();
  },
};

const entered = new WeakSet<World>();
