/** The store keeps what was saved, whatever a caller does to its arguments and to the results. */

import { assertEquals } from "@std/assert";
import { InMemoryStore, type WorkflowEvent, type WorkflowStateInit } from "@rockpool/workflow";
import { gate } from "../support/executors.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

/** A new value of every kind that can be changed, with shared parts and a cycle. */
function everything(): Anything {
  const shared = { n: 1, list: [1, { n: 2 }] };
  const value: Anything = {
    shared,
    again: [shared],
    map: new Map<unknown, unknown>([["key", { n: 3 }], [{ key: 4 }, shared]]),
    set: new Set([{ n: 5 }]),
    date: new Date(5),
    bytes: new Uint8Array([1, 2]),
    words: new DataView(new ArrayBuffer(4)),
    buffer: new ArrayBuffer(2),
    pattern: /a/g,
    cause: Object.assign(new RangeError("m", { cause: { n: 6 } }), { stack: "at everything" }),
  };
  value.self = value;
  return value;
}

/** The same, without the parts that freezing cannot protect, so that loads share it. */
function plain(): Anything {
  const { shared, again } = everything();
  const value: Anything = { shared, again };
  value.self = value;
  return value;
}

/** Tries to change a value and everything that it refers to, in every possible way. */
function vandalize(value: Anything, seen: Set<object> = new Set()): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  const collection = value instanceof Map || value instanceof Set;
  const parts = [
    ...Reflect.ownKeys(value).map((key) => value[key]),
    ...(collection ? [...value.entries()].flat() : []),
  ];
  for (const part of parts) vandalize(part, seen);
  const changes: (() => unknown)[] = [
    ...Reflect.ownKeys(value).flatMap((key) => [
      () => value[key] = "changed",
      () => Object.defineProperty(value, key, { value: "defined", configurable: true }),
      () => delete value[key],
    ]),
    () => value.added = true,
    () => Object.defineProperty(value, "defined", { value: 1, enumerable: true }),
    () => Object.setPrototypeOf(value, { inherited: 1 }),
    () => value.length = 0,
    () => Array.prototype.push.call(value, "pushed"),
    () => Array.prototype.reverse.call(value),
    () => Map.prototype.set.call(value, "key", "changed"),
    () => Map.prototype.delete.call(value, "key"),
    () => Set.prototype.clear.call(value),
    () => Date.prototype.setTime.call(value, 6),
    () => new Uint8Array(value.buffer ?? value).fill(9),
    () => value.lastIndex = 1,
    () => RegExp.prototype.compile.call(value, "b"),
    () => structuredClone(value, { transfer: [value.buffer ?? value] }), // removes the bytes
  ];
  for (const change of changes) {
    try {
      change();
    } catch {
      // it is frozen or of another kind
    }
  }
}

/** A state with a value in every place. */
function stateOf(make: () => Anything): WorkflowStateInit & { history: WorkflowEvent[] } {
  return {
    workflowId: "a",
    status: "failed",
    runId: "1",
    input: make(),
    result: [make()],
    error: { name: "Error", message: "m", data: make(), thrown: { value: make() } },
    history: [
      { type: "workflow_started", at: 1, workflowName: "w", input: make() },
      { type: "signal_received", at: 1, name: "s", signalId: "1", payload: make() },
    ],
    createdAt: 1,
    updatedAt: 1,
  };
}

const makers = { everything, "what freezing protects": plain };

for (const [what, make] of Object.entries(makers)) {
  const expected = { ...stateOf(make), workflowName: "" };

  Deno.test(`InMemoryStore.save() keeps ${what} when it is changed before the save is awaited`, async () => {
    const store = new InMemoryStore();
    const state = stateOf(make);
    const saved = store.save(state);
    vandalize(state);
    await saved;
    assertEquals<unknown>(await store.load("a"), expected);
  });

  Deno.test(`InMemoryStore.save() keeps ${what} when it is changed while an update holds the lock`, async () => {
    const store = new InMemoryStore();
    const held = gate();
    const updated = store.update("b", () => held.promise.then(() => null));
    const state = stateOf(make);
    const saved = store.save(state);
    vandalize(state);
    held.open();
    await Promise.all([updated, saved]);
    assertEquals<unknown>(await store.load("a"), expected);
  });

  Deno.test(`InMemoryStore.append() keeps ${what} when it is changed while an update holds the lock`, async () => {
    const store = new InMemoryStore();
    const held = gate();
    const updated = store.update("b", () => held.promise.then(() => null));
    const { history } = stateOf(make);
    const appended = store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: history });
    vandalize(history);
    held.open();
    await Promise.all([updated, appended]);
    const state = await store.load("a");
    assertEquals<unknown>([state?.input, state?.history], [expected.input, expected.history]);
  });

  Deno.test(`InMemoryStore.update() keeps ${what} when it is changed after the change has returned it`, async () => {
    const store = new InMemoryStore();
    const state = stateOf(make);
    await store.update("a", () => state);
    vandalize(state);
    assertEquals<unknown>(await store.load("a"), expected);
  });

  const ways: Record<string, (store: InMemoryStore) => Promise<unknown>> = {
    load: (store) => store.load("a"),
    list: (store) => store.list(),
    page: (store) => store.page(),
    walk: (store) => store.walk().next(),
    watch: async (store) => {
      const changes = store.watch();
      await store.save((await store.load("a"))!);
      const { value } = await changes.next();
      changes.close();
      return value;
    },
    update: (store) => store.update("a", () => null),
    "update(), to its callback,": async (store) => {
      let given: unknown;
      await store.update("a", (state) => {
        given = state;
        return null;
      });
      return given;
    },
  };

  for (const [way, take] of Object.entries(ways)) {
    const name = way.includes("(") ? way : `${way}()`;
    Deno.test(`InMemoryStore.${name} hands out ${what} in a form that cannot change the store`, async () => {
      const store = new InMemoryStore();
      await store.save(stateOf(make));
      for (let i = 0; i < 2; i++) {
        vandalize(await take(store));
        assertEquals<unknown>(await store.load("a"), expected);
        assertEquals<unknown>(await store.list(), [expected]);
      }
    });
  }
}

Deno.test("InMemoryStore.update() does not save what its callback does to the stored state", async () => {
  const store = new InMemoryStore();
  await store.save(stateOf(everything));
  await store.update("a", (state) => {
    vandalize(state!.input);
    return null;
  });
  assertEquals<unknown>(await store.load("a"), { ...stateOf(everything), workflowName: "" });
});
