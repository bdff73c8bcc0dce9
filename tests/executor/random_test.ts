/**
 * Random workflows that are stopped at random steps. A stopped run must have the same result and history as an
 * uninterrupted one. A run whose code was changed meanwhile, or that several executors wrote, must replay to its outcome.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { VirtualClock } from "@rockpool/workflow";
import { randomDeliveries, randomProgram, randomStep, type Step } from "../support/random_workflow.ts";
import { assertSame, outcomeOf, play, playFrom, type Scene, type Stop } from "../support/restarts.ts";
import { FaultyStore, seeded } from "@rockpool/workflow/testing";
import { settle, setUp } from "../support/executors.ts";
import { assertWellFormed } from "../support/well_formed.ts";

/** How many random workflows are stopped, and the seed of the first one. Change these for a longer run. */
const [SEEDS, DORMANT_SEEDS, FIRST_SEED] = [10_000, 1_000, 1];
/** How many workflows run at once: they share macrotasks. */
const BATCH = 50;

function randomRoot(random: () => number): Step {
  return { do: "sequence", steps: [0, 1, 2].map(() => randomStep(random)) };
}

/** Runs one seed with and without stops, and replays it. Answers how often it was stopped. */
async function compare(seed: number, dormantAfterMs?: number): Promise<number> {
  const random = seeded(seed);
  const input = randomRoot(random);
  const deliveries = randomDeliveries(random);
  const timeoutMs = 1 + random() * (random() < 0.1 ? 500 : 5000);
  const scene = (version: 1 | 2 = 2, dormantAfterMs?: number): Scene => {
    const calls: string[] = [];
    return { workflow: randomProgram(calls, version), input, timeoutMs, deliveries, calls, dormantAfterMs };
  };
  const upgradeAt = random() < 0.25 ? 1 + Math.floor(random() * 3) : 0;
  const maxStops = 1 + Math.floor(random() * 4);
  const stopOf = (stops: number): Stop | undefined => {
    if (stops >= maxStops) return undefined;
    return { append: 1 + Math.floor(random() * 12), side: random() < 0.5 ? "before" : "after" };
  };
  let version: 1 | 2 = 2;
  const stopped = await play((stops) => scene(version = stops < upgradeAt ? 1 : 2, dormantAfterMs), stopOf);
  const replayed = await playFrom(scene(version), stopped.state, -1); // with the code that completed it
  assertSame(replayed, stopped, `seed ${seed}: on replay`);
  if (upgradeAt === 0) assertSame(stopped, await play(scene()), `seed ${seed}: with ${stopped.stops} stops`);
  return stopped.stops;
}

/** Compares this many seeds, and checks that their runs were stopped. */
async function compareAll(seeds: number, dormantAfterMs?: number): Promise<void> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  let stops = 0;
  try {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, i) => compare(seed + i, dormantAfterMs));
      for (const count of await Promise.all(batch)) stops += count;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  assert(stops > seeds, `only ${stops} stops`);
}

Deno.test("Executor gives random workflows the same result and history when they are stopped at random steps", async () => {
  await compareAll(SEEDS);
});

Deno.test("Executor gives random workflows the same result and history when their runs become dormant whenever they are idle", async () => {
  await compareAll(DORMANT_SEEDS, 0);
});

Deno.test("Executors that share random workflows on a failing store write one history that replays", async () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const random = seeded(seed * 7919);
    const root = randomRoot(random);
    const clock = new VirtualClock();
    const faults = { failBefore: 0.1, failAfter: 0.1, conflict: 0.05, latencyMs: [0, 20] } as const;
    const store = new FaultyStore(undefined, { seed, clock, ...faults });
    const program = randomProgram([]);
    const storeRetry = { maxAttempts: Infinity, initialIntervalMs: 5 };
    const dormantAfterMs = seed % 3 === 0 ? 0 : undefined;
    const options = { store, workflows: { scene: program }, random, storeRetry, clock, dormantAfterMs };
    const [first, ...others] = [1, 2, 3].map(() => setUp(options).executor);

    const handle = await first.execute(program, { id: "a", input: root, timeoutMs: 5000 });
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
    await Promise.all([first, ...others].map((executor) => executor.close()));

    const state = (await store.inner.load("a"))!;
    assertWellFormed(`seed ${seed}`, state);
    const arrived = state.history.filter(({ type }) => type === "signal_received");
    assertEquals(arrived.length, sent, `seed ${seed}: signals`);
    const calls: string[] = [];
    const replayed = await playFrom({ workflow: randomProgram(calls), calls }, state, -1);
    const [replayedTo, expected] = [replayed, { state, outcome }].map(({ state, outcome }) => [state.status, outcome]);
    assertEquals([...replayedTo, calls], [...expected, []], `seed ${seed}: on replay`);
  }
});
