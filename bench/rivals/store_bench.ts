/**
 * Is our store faster than other ways to keep workflows in memory: to load, save, list, find and append?
 *
 * Prints Markdown tables. Run it with `deno task bench` in this folder, not with `deno bench`. The floor is a bare `Map` in
 * async functions: no lock, no copy, no check.
 *
 * @module
 */

import { type Contestant, loop, measure, printConditions } from "./_measure.ts";
import { check, entries, type Entry, historyOf, stateOf, type Store } from "./_stores.ts";

const EVENTS = 50;
const COUNT = 1_000;
const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `workflow-${String(n).padStart(6, "0")}`);
const ids = idsOf(COUNT);

console.log("## Stores\n");
printConditions(["@langchain/langgraph-checkpoint", "memory-level", "lru-cache"]);
for (const entry of entries) await check(entry);

// On a filled store.

const full: { entry: Entry; store: Store }[] = [];
for (const entry of entries) {
  const store = await entry.open();
  for (const id of ids) await store.save(stateOf(id, "completed", EVENTS));
  full.push({ entry, store });
}
const onFull = (operations: number, code: string, among = full): Contestant[] =>
  among.map(({ entry: { name, role }, store }) => ({ name, role, run: loop(operations, { store, ids }, code) }));

await measure({
  title: `Load a state of ${EVENTS} events`,
  operations: COUNT,
  contestants: onFull(COUNT, "await store.load(ids[i])"),
});

await measure({
  title: `Load a state of ${EVENTS} events, change a field, save it`,
  operations: COUNT,
  contestants: onFull(COUNT, "const state = await store.load(ids[i]); await store.save({ ...state, updatedAt: i })"),
});

await measure({
  title: `List ten of ${COUNT.toLocaleString("en")} workflows, ${EVENTS} events each`,
  operations: 100,
  contestants: onFull(100, "await store.list(10)", full.filter(({ store }) => store.list)),
});
for (const { store } of full.splice(0)) store.close?.();

// On an empty store, a new one for each sample.

/** In the code, `scope` holds the store and what `make` returned. */
const onEmpty = (operations: number, make: () => unknown, code: string): Contestant[] =>
  entries.map(({ name, role, open }) => {
    const scope: { store?: Store; input?: unknown } = {};
    return {
      name,
      role,
      async prepare() {
        scope.store?.close?.();
        scope.store = await open();
        scope.input = make();
      },
      run: loop(operations, { scope }, code),
    };
  });

await measure({
  title: `Save a new state of ${EVENTS} events`,
  operations: COUNT,
  contestants: onEmpty(
    COUNT,
    () => ids.map((id) => stateOf(id, "running", EVENTS)),
    "await scope.store.save(scope.input[i])",
  ),
});

for (const count of [1_000, 2_000]) {
  await measure({
    title: `Append to one workflow, an event at a time, up to ${count.toLocaleString("en")}`,
    operations: count,
    rounds: 31,
    contestants: onEmpty(count, () => historyOf(count), "await scope.store.append('a', i, scope.input[i])"),
  });
}

// Ten running workflows among very many finished ones.

for (const count of [1_000, 100_000]) {
  const contestants: Contestant[] = [];
  for (const { name, role, open } of entries) {
    const store = await open();
    if (!store.find) continue;
    for (const [n, id] of idsOf(count).entries()) {
      await store.save(stateOf(id, n % (count / 10) === 7 ? "running" : "completed", 2));
    }
    contestants.push({ name, role, run: loop(1, { store }, "await store.find('running')") });
  }
  await measure({
    title: `Find the 10 that are running among ${count.toLocaleString("en")}, 2 events each`,
    operations: 1,
    contestants,
  });
}
