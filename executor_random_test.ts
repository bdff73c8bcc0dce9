/**
 * Random workflows, stopped at random points: sequences, branches, races, activities that fail, sleeps, signals and
 * cancellations. After every restart the run must go on; in the end its history must replay to the same outcome.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ActivityContext, WorkflowContext, WorkflowState } from "@rockpool/workflow";
import { FaultyStore, gate, seeded, settle, setUp } from "./tools/testing.ts";

type Step =
  | { readonly do: "activity"; readonly failures: number; readonly slow: boolean }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "signal" }
  | { readonly do: "sequence" | "all" | "race"; readonly steps: readonly Step[] };

function randomStep(random: () => number, depth: number): Step {
  const kind = random() * (depth > 2 ? 5 : 10);
  if (kind < 3) return { do: "activity", failures: Math.floor(random() * 4), slow: random() < 0.3 };
  if (kind < 4.5) return { do: "sleep", ms: Math.floor(random() * 500) };
  if (kind < 5) return { do: "signal" };
  const steps = Array.from(
    { length: 1 + Math.floor(random() * 4) },
    () => randomStep(random, depth + 1),
  );
  return { do: kind < 7 ? "sequence" : kind < 8.5 ? "all" : "race", steps };
}

/** `completed` holds the calls whose result was handed back, by position. */
function world() {
  const runs: string[] = [];

  async function work(
    step: { failures: number; slow: boolean },
    { attempt, idempotencyKey }: ActivityContext,
  ) {
    runs.push(idempotencyKey.split(":")[1]);
    if (step.slow) await settle();
    if (attempt <= step.failures) throw new RangeError(`attempt ${attempt}`);
    return attempt;
  }

  async function program(ctx: WorkflowContext, root: Step): Promise<unknown[]> {
    const trace: unknown[] = [];
    const signals = ctx.receiveSignal<number>("s")[Symbol.asyncIterator]();
    const run = async (step: Step, path: string): Promise<unknown> => {
      switch (step.do) {
        case "activity":
          try {
            const { failures, slow } = step;
            const attempts = await ctx.executeActivity(work, { failures, slow }, {
              retry: { maxAttempts: 3 },
            });
            return trace.push(`${path} took ${attempts} at ${ctx.now()} ${ctx.random()}`);
          } catch (error) {
            return trace.push(`${path} failed: ${error} at ${ctx.now()}`);
          }
        case "sleep":
          await ctx.sleep(step.ms);
          return trace.push(`${path} slept until ${ctx.now()} ${ctx.uuid()}`);
        case "signal": {
          const signal = await Promise.race([signals.next(), ctx.sleep(300)]);
          return trace.push(`${path} got ${signal && signal.value} at ${ctx.now()}`);
        }
        case "sequence":
          for (const [i, one] of step.steps.entries()) await run(one, `${path}.${i}`);
          return;
        case "all":
          return await Promise.all(step.steps.map((one, i) => run(one, `${path}.${i}`)));
        case "race":
          await Promise.race(step.steps.map((one, i) => run(one, `${path}.${i}`)));
          return trace.push(`${path} raced`);
      }
    };
    await run(root, "");
    await signals.return!();
    return trace;
  }
  return { program, runs };
}

/** Ends the run with as many restarts as it takes; answers how it ended. */
async function live(
  seed: number,
): Promise<{ state: WorkflowState; outcome: unknown; restarts: number }> {
  const random = seeded(seed);
  const root: Step = { do: "sequence", steps: [0, 1, 2].map(() => randomStep(random, 0)) };
  const store = new FaultyStore();
  const { program, runs } = world();
  let restarts = 0;
  let startAt = 0;
  let history: readonly { type: string }[] = [];
  for (;;) {
    const { executor, clock } = setUp({ store, startAt, workflows: { program }, random });
    const stopped = gate<"stopped">();
    let appendsLeft = 1 + Math.floor(random() * 12);
    const stop = () => {
      if (--appendsLeft === 0 && restarts < 20) {
        executor.close().then(() => stopped.open("stopped"));
      }
    };
    const loseWrite = random() < 0.5;
    store.before = () => {
      if (loseWrite) stop();
      if (loseWrite && appendsLeft <= 0 && restarts < 20) throw new Error("the process is gone");
    };
    store.after = () => {
      if (!loseWrite) stop();
    };
    runs.length = 0;
    const recorded = new Set(
      history.flatMap((event) =>
        event.type === "activity_completed" ? [`${(event as unknown as { seq: number }).seq}`] : []
      ),
    );
    const outcome = (async () => {
      const handle = await store.load("a") === null
        ? await executor.execute(program, { id: "a", input: root })
        : (await executor.recover())[0] ?? await executor.handle("a");
      for (let n = 0; n < 3; n++) {
        if (random() < 0.4) await executor.signal("a", { name: "s", payload: n }).catch(() => {});
      }
      if (random() < 0.05) await executor.cancel("a", "random").catch(() => {});
      return await outcomeOf(handle.result());
    })().catch((error) => `${error}`);
    await Promise.race([outcome, stopped.promise]);
    const ended = await outcome;
    await executor.close();
    store.before = store.after = () => {};
    for (const run of runs) assert(!recorded.has(run), `seed ${seed}: activity ${run} ran again`);
    const state = await store.load("a");
    if (state !== null && state.status !== "running") return { state, outcome: ended, restarts };
    assert(!String(ended).includes("NonDeterminism"), `seed ${seed}: ${ended}`);
    history = state?.history ?? [];
    startAt = clock.now();
    restarts++;
  }
}

const outcomeOf = (result: Promise<unknown>) =>
  result.then(
    (value) => JSON.stringify(value),
    (error: Error) => `${error.name}: ${error.message}`,
  );

Deno.test("Executor ends random workflows that are stopped at random points, and their histories replay", async () => {
  let restarts = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const ended = await live(seed);
    restarts += ended.restarts;
    assertEquals(
      await replay(seed, ended.state),
      { outcome: ended.outcome, status: ended.state.status },
      `seed ${seed}`,
    );
  }
  assert(restarts > 1500, `only ${restarts} restarts`);
});

/** Replays a finished history without its last event; answers how it ended. */
async function replay(seed: number, ended: WorkflowState): Promise<{ outcome: unknown; status: string }> {
  const { history, result: _result, error: _error, ...rest } = ended;
  const { program, runs } = world();
  const { store, executor } = setUp({ workflows: { program }, startAt: rest.updatedAt });
  await store.save({ ...rest, status: "running", history: history.slice(0, -1) });
  const [handle] = await executor.recover();
  const outcome = await outcomeOf(handle.result());
  assertEquals(runs, [], `seed ${seed}: activities ran on replay`);
  await executor.close();
  return { outcome, status: (await store.load("a"))!.status };
}

/** What must hold of every history, whoever wrote it. */
function assertWellFormed(seed: number, { history }: WorkflowState, sent: number): void {
  const seen = new Set<string>();
  for (const [i, event] of history.entries()) {
    const { type } = event;
    const message = `seed ${seed}: event ${i}, ${type}`;
    assertEquals(type === "workflow_started", i === 0, message);
    assertEquals(/^workflow_(?!started)/.test(type), i === history.length - 1, message);
    if (!("seq" in event)) continue;
    const started = type === "activity_started" || type === "timer_started";
    const key = started ? "started" : type === "activity_attempt_failed" ? `attempt ${event.attempt}` : "resolved";
    assert(!seen.has(`${key} ${event.seq}`), `${message}: ${event.seq} ${key} twice`);
    assert(started || seen.has(`started ${event.seq}`), `${message}: ${event.seq} was not started`);
    seen.add(`${key} ${event.seq}`);
    if (started && event.seq > 0) assert(seen.has(`started ${event.seq - 1}`), `${message}: a command is missing`);
  }
  const ids = history.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
  assertEquals([ids.length, new Set(ids).size], [sent, sent], `seed ${seed}: signals`);
}

Deno.test("Executors that share random workflows on a failing store write one history that replays", async () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const random = seeded(seed * 7919);
    const root: Step = { do: "sequence", steps: [0, 1, 2].map(() => randomStep(random, 0)) };
    const store = new FaultyStore();
    const { program } = world();
    const storeRetry = { maxAttempts: Infinity, initialIntervalMs: 5 };
    const options = { store, workflows: { program }, random, storeRetry };
    const { executor: first, clock } = setUp(options);
    const others = [1, 2].map(() => setUp({ ...options, clock }).executor);
    const fail = (chance: number) => () => {
      if (random() < chance) throw new Error("the store is moody");
    };
    store.before = fail(0.1);
    store.after = fail(0.1);
    store.onLoad = fail(0.05);

    const handle = await first.execute(program, { id: "a", input: root });
    let sent = 0;
    const signals = Array.from({ length: 6 }, async (_, n) => {
      for (let wait = Math.floor(random() * 40); wait > 0; wait--) await null;
      const sender = [first, ...others][Math.floor(random() * 3)];
      await sender.signal("a", { name: "s", payload: n }).then(() => sent++, (error) => {
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
    store.before = store.after = store.onLoad = () => {};

    const state = (await store.load("a"))!;
    assertWellFormed(seed, state, sent);
    assertEquals(await replay(seed, state), { outcome, status: state.status }, `seed ${seed}: on replay`);
  }
});
