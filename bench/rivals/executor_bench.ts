/**
 * Is our executor faster than other engines inside one process: to run, for activities in a row, to replay, to wait and wake?
 *
 * Prints Markdown tables. Run it with `deno task bench` in this folder, not with `deno bench`. The floor is a bare loop that
 * records the same history in an array. Each sample begins with a new engine and a new store.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { check, type Engine, entries, type Entry, seen, waiting } from "./_engines.ts";
import { type Contestant, measure, printConditions, printResults, type Result, usedBytes } from "./_measure.ts";

console.info = console.debug = () => {}; // durabletask-js always writes to them

console.log("## Engines\n");
printConditions(["effect", "@microsoft/durabletask-js", "@resonatehq/sdk", "openworkflow", "xstate"]);
for (const entry of entries) await check(entry);

const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `workflow-${n}`);
const inWords = (count: number) => count.toLocaleString("en");

/** A smaller number of operations, for engines that would take minutes or have a limit. */
type Caps = Readonly<Record<string, number>>;

interface Work {
  readonly operations: number;
  /** A cap of 0 leaves an engine out. */
  readonly caps?: Caps;
  prepare?(engine: Engine, operations: number): unknown;
  run(engine: Engine, operations: number): Promise<unknown>;
}

/** Opens the engine for each sample, and closes it after. */
function contestants({ operations: most, caps = {}, prepare, run }: Work): Contestant[] {
  return entries.filter(({ name }) => caps[name] !== 0).map(({ name, role, open }) => {
    const operations = caps[name] ?? most;
    let engine: Engine;
    return {
      name: operations < most ? `${name}, ${inWords(operations)}` : name,
      role,
      operations,
      async prepare() {
        engine = open();
        await prepare?.(engine, operations);
      },
      run: () => run(engine, operations),
      async finish() {
        await engine.close();
        await setTimeout(5); // for timers that are left
      },
    };
  });
}

/** Throws if an engine computes a wrong result. */
function want(actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`Cannot measure: the result is ${actual}, want ${expected}`);
}

const sumTo = (count: number) => count * (count - 1) / 2;

await measure({
  title: "Start a workflow, one activity, its result: one after the other",
  operations: 500,
  contestants: contestants({
    operations: 500,
    async run(engine, operations) {
      for (let i = 0; i < operations; i++) want(await engine.run(`workflow-${i}`, 1), 0);
    },
  }),
});

await measure({
  title: "The same, 100 at once, each",
  operations: 1_000,
  contestants: contestants({
    operations: 1_000,
    async run(engine, operations) {
      for (let done = 0; done < operations; done += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => engine.run(`workflow-${done + i}`, 1)));
      }
    },
  }),
});

for (const count of [1_000, 10_000]) {
  await measure({
    title: `${inWords(count)} activities in a row, each`,
    operations: count,
    rounds: 7,
    contestants: contestants({
      operations: count,
      caps: count > 1_000 ? { "durabletask-js": 0, OpenWorkflow: 0 } : {},
      run: async (engine, operations) => want(await engine.run("a", operations), sumTo(operations)),
    }),
  });
}

await measure({
  title: "Wake a workflow after 10,000 activities, so that it is replayed, each activity",
  operations: 10_000,
  rounds: 5,
  contestants: contestants({
    operations: 10_000,
    caps: { "durabletask-js": 1_000, OpenWorkflow: 999, XState: 0 },
    async prepare(engine, operations) {
      seen.waits = 0;
      await engine.startWaiting("a", operations);
      await waiting(1);
    },
    async run(engine, operations) {
      const ran = seen.activities;
      await engine.restart?.();
      await engine.signal("a", 7);
      want(await engine.result("a"), sumTo(operations) + 7);
      want(seen.activities, ran); // no activity ran again
    },
  }),
});

// Workflows that wait for a signal and have done nothing else.

const waitingCaps: Caps = { OpenWorkflow: 1_000 };

async function startAll(engine: Engine, ids: readonly string[]): Promise<void> {
  seen.waits = 0;
  for (const id of ids) await engine.startWaiting(id, 0);
  await waiting(ids.length);
}

let ids: readonly string[];

await measure({
  title: "10,000 waiting workflows: a signal to each, all at once, and all results, each",
  operations: 10_000,
  rounds: 5,
  contestants: contestants({
    operations: 10_000,
    caps: waitingCaps,
    prepare: (engine, operations) => startAll(engine, ids = idsOf(operations)),
    async run(engine) {
      await Promise.all(ids.map((id) => engine.signal(id, 7)));
      for (const result of await Promise.all(ids.map((id) => engine.result(id)))) want(result, 7);
    },
  }),
});

/** The bytes of a waiting workflow, without the IDs that the callers hold. */
async function bytesEach({ open }: Entry, count: number): Promise<number> {
  const engine = open();
  const ids = idsOf(count + 1);
  await startAll(engine, ids.splice(0, 1)); // what the first workflow allocates once belongs to the engine
  const before = usedBytes() + (engine.outside?.() ?? 0);
  await startAll(engine, ids);
  const bytes = usedBytes() + (engine.outside?.() ?? 0) - before;
  await engine.signal(ids[0], 7);
  want(await engine.result(ids[0]), 7);
  await engine.close();
  return bytes / count;
}

const results: Result[] = [];
for (const entry of entries) {
  const count = waitingCaps[entry.name] ?? 10_000;
  const values: number[] = [];
  await bytesEach(entry, 100); // compiled code is on the heap too
  for (let round = 0; round < 3; round++) values.push(await bytesEach(entry, count));
  const { name, role } = entry;
  results.push({ name: count < 10_000 ? `${name}, ${inWords(count)}` : name, role, values });
}
const bytes = (value: number) => `${Math.round(value).toLocaleString("en")} B`;
printResults("10,000 waiting workflows: the memory of each", results, bytes, "smallest to largest");
