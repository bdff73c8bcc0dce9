/** `storeCases()` and `testStore()`, and the stores of the package that must fulfil the contract. */

import { assert, assertEquals, assertRejects, assertThrows, fail } from "@std/assert";
import { InMemoryStore, VirtualClock, type WorkflowStore } from "@rockpool/workflow";
import { FaultyStore, storeCases, type StoreCasesOptions, testStore } from "@rockpool/workflow/testing";
import { withoutSubscribe } from "../../tests/support/executors.ts";
import { pass } from "./members.ts";

const reopen = async (store: WorkflowStore) => InMemoryStore.restore(await (store as InMemoryStore).snapshot());

/** Another instance: it has the same content, and methods of its own. */
const connect = (store: WorkflowStore): WorkflowStore => {
  const inner = store as Required<WorkflowStore>;
  return {
    ...withoutSubscribe(store as InMemoryStore),
    subscribe: (listener) => inner.subscribe(listener),
    heads: (options) => inner.heads(options),
    count: (filter) => inner.count(filter),
    loadSince: (...args) => inner.loadSince(...args),
    deliver: (delivery) => inner.deliver(delivery),
    claim: (options) => inner.claim(options),
    renew: (...args) => inner.renew(...args),
    release: (...args) => inner.release(...args),
  };
};
const members = ["heads", "count", "loadSince", "deliver", "claim"] as const;

testStore(Deno.test, () => new InMemoryStore(), { name: "InMemoryStore", members, reopen, connect });
testStore(Deno.test, () => withoutSubscribe(), { name: "InMemoryStore without subscribe", subscribe: false });
testStore(Deno.test, () => new FaultyStore(), { name: "FaultyStore" });
testStore(
  Deno.test,
  () => new FaultyStore(withoutSubscribe(), { latencyMs: [0, 20], clock: new VirtualClock() }),
  { name: "FaultyStore with latency", subscribe: false },
);

const caseOf = (wanted: string, options?: StoreCasesOptions) =>
  storeCases(options).find(({ name }) => name === wanted) ?? fail(`No case is called: ${wanted}`);

const namesOf = (options: StoreCasesOptions) => storeCases(options).map(({ name }) => name);

Deno.test("storeCases() has each name once, and the tiers one after the other", () => {
  const names = namesOf({ reopen });
  assertEquals(names.length, new Set(names).size);
  assertEquals(names, [...namesOf({ reopen, tier: "store" }), ...namesOf({ reopen, tier: "executor" })]);
});

Deno.test("storeCases() has cases for the optional abilities of a store", () => {
  const [all, silent, reopened, connected] = [{}, { subscribe: false }, { reopen }, { connect }].map(namesOf);
  const missing = all.filter((name) => !silent.includes(name));
  assertEquals(missing.length, 6);
  assert(missing.slice(0, 5).every((name) => name.startsWith("subscribe()")), missing.join());
  assertEquals(silent.filter((name) => !all.includes(name)), [
    "an executor without notifications refuses to wait for runs of another one",
  ]);
  assertEquals(reopened.length, all.length + 2);
  assertEquals(connected.length, all.length + 7);
  assertEquals(namesOf({ connect, subscribe: false }).length, silent.length + 5);
  const more = members.map((member) => namesOf({ members: [member] }).length - all.length);
  assertEquals(more.every((count) => count > 1), true, more.join());
  const both = 1; // about deliver() and leases
  assertEquals(namesOf({ members }).length, all.length + more.reduce((sum, count) => sum + count) + both);
});

Deno.test("storeCases() says which option to pass when a store has no subscribe", async () => {
  const { run } = caseOf("subscribe() calls every listener");
  const message = "The store has no subscribe(): pass { subscribe: false }";
  await assertRejects(() => run(() => withoutSubscribe()), Error, message);
});

/** A store that logs its disposal. */
const noting = (log: string[], name: string, part: Partial<WorkflowStore> = {}, store = new InMemoryStore()) =>
  Object.assign(store, { ...part, [Symbol.asyncDispose]: () => Promise.resolve(log.push(name)) });

Deno.test("storeCases() disposes of every store of a case, the last one first", async () => {
  const log: string[] = [];
  const { run } = caseOf("append() rejects with a conflict if the run does not exist");
  let made = 0;
  await run(() => Promise.resolve(noting(log, `${++made}`)));
  assertEquals(log, ["2", "1"]);
});

Deno.test("storeCases() disposes of the stores of a case that fails, and throws what the case threw", async () => {
  const log: string[] = [];
  const { run } = caseOf("append() creates the run with a first event workflow_started");
  const append = () => Promise.reject(new Error("no append"));
  await assertRejects(() => run(() => noting(log, "made", { append })), Error, "no append");
  assertEquals(log, ["made"]);
});

Deno.test("storeCases() disposes of stores that are opened again, and of those with Symbol.dispose", async () => {
  const log: string[] = [];
  const { run } = caseOf("a store that is opened again holds the same, in the same order", {
    reopen: async (store) => noting(log, "opened again", {}, await reopen(store)),
  });
  await run(() => Object.assign(new InMemoryStore(), { [Symbol.dispose]: () => void log.push("made") }));
  assertEquals(log, ["opened again", "made"]);
});

Deno.test("storeCases() fails a case if disposal fails", async () => {
  const { run } = caseOf("load() returns null if there is none");
  const dispose = () => {
    throw new Error("still in use");
  };
  await assertRejects(
    () => run(() => Object.assign(new InMemoryStore(), { [Symbol.dispose]: dispose })),
    Error,
    "still in use",
  );
});

Deno.test("storeCases() does not blame the store if the factory fails", async () => {
  for (const { name, run } of [caseOf("list() returns whole states"), storeCases({ tier: "executor" })[0]]) {
    const { message } = await assertRejects(() => run(() => Promise.reject(new Error("no connection"))), Error);
    assertEquals(message, "no connection", name);
  }
});

Deno.test("storeCases() fails a case that does not end", async () => {
  const stuck = () => Object.assign(new InMemoryStore(), { list: () => new Promise<never>(() => {}) });
  const { run } = caseOf("list() returns whole states", { timeoutMs: 1 });
  await assertRejects(() => run(stuck), Error, "The case did not end within 1 ms");
});

Deno.test("storeCases() does not count the time in which a store is opened, opened again or connected", async () => {
  const slowly =
    (make: (store: WorkflowStore) => WorkflowStore | Promise<WorkflowStore>) => async (store: WorkflowStore) => {
      await pass(450);
      return await make(store);
    };
  const options = { tier: "store", timeoutMs: 400, reopen: slowly(reopen), connect: slowly((store) => store) } as const;
  const open = slowly(() => new InMemoryStore()) as () => Promise<WorkflowStore>;
  const slow = [
    "a store that is opened again holds the same, in the same order",
    "another instance refuses what does not fit what was written",
  ];
  await Promise.all(slow.map((name) => caseOf(name, options).run(open)));
});

Deno.test("storeCases() fails a case whose store is never opened", async () => {
  const { run } = caseOf("list() returns whole states", { timeoutMs: 1 });
  await assertRejects(() => run(() => new Promise<never>(() => {})), Error, "The store was not opened within 10 ms");
});

Deno.test("storeCases() and testStore() refuse bad arguments", () => {
  // deno-lint-ignore no-explicit-any
  const any = (value: unknown) => value as any;
  const beginning = "Cannot make the cases of a store: ";
  assertThrows(() => storeCases(any(null)), TypeError, `${beginning}"options" must be an object, got null`);
  assertThrows(
    () => storeCases({ tiers: "store" } as StoreCasesOptions),
    TypeError,
    `${beginning}"options" has no option "tiers"; did you mean "tier"?`,
  );
  assertThrows(
    () => testStore(() => {}, () => withoutSubscribe(), any({ nam: "x" })),
    TypeError,
    'Cannot test a store: "options" has no option "nam"; did you mean "name"?',
  );
  assertThrows(
    () => storeCases({ tier: any("x") }),
    TypeError,
    `${beginning}"tier" must be one of "store", "executor", got "x"`,
  );
  assertThrows(
    () => storeCases({ members: any(["heads", "page"]) }),
    TypeError,
    `${beginning}"members[1]" must be one of "heads", "count", "loadSince", "deliver", "claim", got "page"`,
  );
  assertThrows(
    () => storeCases({ members: any("heads") }),
    TypeError,
    `${beginning}"members" must be an array, got "heads"`,
  );
  assertThrows(() => storeCases({ connect: any(1) }), TypeError, `${beginning}"connect" must be a function, got 1`);
  assertThrows(() => storeCases({ reopen: any(1) }), TypeError, `${beginning}"reopen" must be a function, got 1`);
  assertThrows(
    () => storeCases({ timeoutMs: 0 }),
    RangeError,
    `${beginning}"timeoutMs" must be a finite number above 0, got 0`,
  );
  assertThrows(
    () => testStore(any(1), () => withoutSubscribe()),
    TypeError,
    'Cannot test a store: "test" must be a function, got 1',
  );
  assertThrows(
    () => testStore(() => {}, any(1)),
    TypeError,
    'Cannot test a store: "factory" must be a function, got 1',
  );
});
