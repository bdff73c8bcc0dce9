/**
 * Random runs, one for each seed: see the tests that use them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Executor, VirtualClock } from "@rockpool/workflow";
import { assertReplays, FaultyStore, seeded, simulate } from "@rockpool/workflow/testing";
import { settle, silent } from "./executors.ts";
import { CountingClock, Fakes } from "./fakes.ts";
import { Knowledge } from "./knowledge.ts";
import {
  assertReads,
  assertUndoneLast,
  randomDeliveries,
  randomProgram,
  randomStep,
  root,
  type Step,
} from "./random_workflow.ts";
import { assertSame, outcomeOf, play, playFrom, type Scene, type Stop } from "./restarts.ts";
import { assertWellFormed } from "./well_formed.ts";

/** How many workflows run at once: they share macrotasks. */
const BATCH = 50;

/** Walks `count` seeds. Returns the sum of what the walks return. */
export async function walkAll(
  first: number,
  count: number,
  walk: (seed: number) => Promise<number | void>,
): Promise<number> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  let sum = 0;
  try {
    for (let seed = first; seed < first + count; seed += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, first + count - seed) }, (_, i) => walk(seed + i));
      for (const one of await Promise.all(batch)) sum += one ?? 0;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return sum;
}

/** Makes the input of a random workflow. */
export function randomRoot(random: () => number, place = root): Step {
  return { do: "sequence", steps: [0, 1, 2].map(() => randomStep(random, place)) };
}

/** Runs one seed with and without stops, and replays it. Answers how often it was stopped. */
export async function walkWithStops(seed: number, dormantAfterMs?: number): Promise<number> {
  const random = seeded(seed);
  const input = randomRoot(random, { ...root, isExact: true });
  const deliveries = randomDeliveries(random);
  const timeoutMs = 1 + random() * (random() < 0.1 ? 500 : 5000);
  const scenes = (dormantAfterMs?: number, fakes = new Fakes()) => {
    return (version: 1 | 2 = 2): Scene => {
      return { workflow: randomProgram(fakes, version), input, timeoutMs, deliveries, fakes, dormantAfterMs };
    };
  };
  const upgradeAt = random() < 0.25 ? 1 + Math.floor(random() * 3) : 0;
  const maxStops = 1 + Math.floor(random() * 4);
  const stopOf = (stops: number): Stop | undefined => {
    if (stops >= maxStops) return undefined;
    return { append: 1 + Math.floor(random() * 12), side: random() < 0.5 ? "before" : "after" };
  };
  let version: 1 | 2 = 2;
  const fakes = new Fakes();
  const scene = scenes(dormantAfterMs, fakes);
  const stopped = await play((stops) => scene(version = stops < upgradeAt ? 1 : 2), stopOf);
  assertWellFormed(`seed ${seed}`, stopped.state);
  assertUndoneLast(`seed ${seed}`, stopped.state);
  assertReads(`seed ${seed}`, fakes.reads, stopped.state);
  const replayed = await playFrom(scenes()(version), stopped.state, -1); // with the code that completed it
  assertSame(replayed, stopped, `seed ${seed}: on replay`);
  if (upgradeAt === 0) assertSame(stopped, await play(scenes()()), `seed ${seed}: with ${stopped.stops} stops`);
  return stopped.stops;
}

/** Three executors share a random workflow on a store that fails and is slow. They write one history, which replays. */
export async function walkShared(seed: number): Promise<void> {
  const random = seeded(seed * 7919);
  const input = randomRoot(random);
  const clock = new VirtualClock();
  const slow = { latencyMs: [0, 20], slowReadMs: [0, 20], staleRead: 0.1 } as const;
  const faults = { failBefore: 0.1, failAfter: 0.1, conflict: 0.05, ...slow };
  const store = new FaultyStore(undefined, { seed, clock, ...faults });
  const fakes = new Fakes();
  fakes.clock = clock;
  const program = randomProgram(fakes);
  const clocks: CountingClock[] = [];
  const knowledge: Knowledge[] = [];
  const storeRetry = { maxAttempts: Infinity, initialIntervalMs: 5 };
  const dormantAfterMs = seed % 3 === 0 ? 0 : undefined;
  const [first, ...others] = [0, 1, 2].map((i) => {
    const { replaceActivity } = knowledge[i] = new Knowledge(() => clock.now());
    const options = { workflows: { scene: program }, random, storeRetry, dormantAfterMs, replaceActivity };
    clocks[i] = new CountingClock(clock);
    return new Executor({ ...options, logger: silent, store: knowledge[i].of(store), clock: clocks[i] });
  });

  const handle = await first.execute(program, { id: "a", input, timeoutMs: 5000 });
  let sent = 0;
  const signals = Array.from({ length: 6 }, async (_, n) => {
    for (let wait = Math.floor(random() * 40); wait > 0; wait--) await null;
    const sender = [first, ...others][Math.floor(random() * 3)];
    await sender.signal("a", "s", n).then(() => sent++, (error) => {
      assertEquals(error.code, "not_found", `seed ${seed}: ${error}`);
    });
  });
  const outcomes = [outcomeOf(handle.result())];
  for (const other of others) {
    for (let wait = Math.floor(random() * 60); wait > 0; wait--) await null;
    if (random() < 0.5) await settle();
    const [recovered] = await other.recover();
    outcomes.push(outcomeOf((recovered ?? await other.handle("a")).result()));
  }
  if (random() < 0.2) {
    const canceler = others[Math.floor(random() * 2)];
    await canceler.cancel("a", "random").catch((error) => assertEquals(error.code, "not_found", `seed ${seed}`));
  }
  await Promise.all(signals);
  const [outcome, ...rest] = await Promise.all(outcomes);
  assertEquals(rest, [outcome, outcome], `seed ${seed}: the executors do not agree`);
  assertEquals([first, ...others].flatMap((executor) => executor.openRuns()), [], `seed ${seed}: open runs`);
  await Promise.all([first, ...others].map((executor) => executor.close()));
  assertEquals(clocks.map(({ timers }) => timers), [0, 0, 0], `seed ${seed}: timers`);
  const state = (await store.inner.load("a"))!;
  assertWellFormed(`seed ${seed}`, state);
  const arrived = state.history.filter(({ type }) => type === "signal_received");
  assertEquals(arrived.length, sent, `seed ${seed}: signals`);
  assertUndoneLast(`seed ${seed}`, state);
  assertReads(`seed ${seed}`, fakes.reads, state);
  assertEquals(knowledge.flatMap(({ repeated }) => repeated), [], `seed ${seed}: began after their outcome`);
  const replays = new Fakes();
  const { calls } = replays;
  const replayed = await playFrom({ workflow: randomProgram(replays), fakes: replays }, state, -1);
  const [replayedTo, expected] = [replayed, { state, outcome }].map(({ state, outcome }) => [state.status, outcome]);
  assertEquals([...replayedTo, calls], [...expected, []], `seed ${seed}: on replay`);
}

/** A random workflow under random faults. */
export async function walkSimulation(seed: number, executors: number): Promise<number> {
  const random = seeded(seed);
  const fakes = new Fakes();
  const workflow = randomProgram(fakes);
  const input = randomRoot(random);
  const deliveries = randomDeliveries(random);
  const signals = deliveries.flatMap((one) =>
    "signal" in one ? [{ atMs: one.at, name: one.signal, payload: one.payload }] : []
  );
  const [cancel] = deliveries.flatMap((one) => "cancel" in one ? [{ atMs: one.at, reason: one.cancel }] : []);
  const { faults } = await simulate({
    workflow,
    input,
    timeoutMs: 1 + random() * 5000,
    executors,
    signals,
    cancel,
    always: ({ state }) => state && assertWellFormed(`seed ${seed}`, state),
    atEnd: async ({ state }) => {
      assertUndoneLast(`seed ${seed}`, state!);
      assertReads(`seed ${seed}`, fakes.reads, state!);
      await assertReplays(workflow, state!);
    },
  }, { seeds: [seed] });
  return faults;
}

export { walkSeveral } from "./several_walk.ts";
