/** Walks every callback through every misbehaviour. The tables are in `callbacks.ts` and `misbehaviours.ts`. */

import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import { macrotasks, silent } from "../support/executors.ts";
import { type CallbackRow, CALLBACKS } from "./callbacks.ts";
import { CLOSES, isNever, type Misbehaviour, MISBEHAVIOURS } from "./misbehaviours.ts";
import { harmDuring, Outcome, shown } from "./outcome.ts";

/** A run that must complete, whatever happens to the others. It waits once, so that others come between. */
async function bystander(ctx: WorkflowContext) {
  const doubled = await ctx.executeActivity((n: number) => 2 * n, 2);
  await ctx.sleep(10);
  await ctx.waitForSignal("go");
  await ctx.sleep(10);
  return doubled + await ctx.sideEffect(() => 1);
}

/** It fails too, whatever else fails. */
const onError = (): void => Promise.reject(new Error("bad onError")) as never;

/** Lets virtual time and macrotasks pass until something is settled, or for long enough. */
async function drive(time: FakeTime, clock: VirtualClock, outcome: Outcome, rounds = 60): Promise<void> {
  for (let i = 0; i < rounds && !outcome.settled; i++) {
    await macrotasks(4);
    if (i % 8 === 7) time.tick(1000); // of the system: a clock that fails is asked again
    if (i % 4 === 3) clock.advance(i < 20 ? 5 : 5_000).catch(() => {}); // a bad timer can throw
  }
}

/** One callback that misbehaves in one way. Throws if anything beyond its run is harmed. */
async function cell(time: FakeTime, row: CallbackRow, name: string, misbehave: Misbehaviour): Promise<void> {
  let calls = 0;
  let bad = row.always === true;
  const callback = (...args: unknown[]) => {
    const well = () => row.well?.(...args);
    if (!bad) return well();
    calls++;
    return misbehave(world, well);
  };
  const store = new InMemoryStore();
  const clock = new VirtualClock();
  // A virtual clock stands still while a store works. One that never answers would stop it for all.
  const free = { now: () => clock.now(), setTimer: (at: number, call: () => void) => clock.setTimer(at, call) };
  const stalled = row.stalls === "for ever" && isNever(name);
  const options = {
    clock: stalled ? free : clock,
    store,
    random: () => 0.5,
    logger: silent,
    onError,
    storeRetry: { maxAttempts: 2 },
  };
  const executor = new Executor({ ...options, ...row.options?.(callback, store, clock) });
  const world = { executor, store, clock };
  const start = (id: string) => executor.execute(bystander, { id }).then((handle) => handle.result());

  const meanwhile = new Outcome(start("bystander"));
  await drive(time, clock, meanwhile, 4);
  bad = true;
  const harmed = new Outcome(Promise.resolve().then(() => row.run(world, callback)));
  await drive(time, clock, harmed);
  const closes = name === CLOSES;
  executor.signal("bystander", "go").catch((error) => assert(closes, error));
  await drive(time, clock, meanwhile);
  bad = false;
  assert(calls > 0, "it was not called");
  if (!isNever(name) || row.stalls === undefined) assert(harmed.settled, "its run did not end");
  assertEquals(meanwhile.value, closes ? meanwhile.value : 5, "the run beside it");
  const afterwards = new Outcome(start("afterwards"));
  await drive(time, clock, afterwards, 4);
  executor.signal("afterwards", "go").catch((error) => assert(closes, error));
  await drive(time, clock, afterwards);
  assertEquals(afterwards.value, closes ? afterwards.value : 5, "the run after it");
  const closed = new Outcome(executor.close());
  await drive(time, clock, closed);
  await drive(time, clock, harmed);
  if (!stalled) {
    assert(closed.settled && closed.error === undefined, "close() did not resolve");
    assert(harmed.settled, "its run did not end with the executor");
    assertEquals([executor.openRuns(), clock.next()], [[], false], "left behind");
  }
  assert(meanwhile.settled && afterwards.settled, "the runs beside it did not end");
}

for (const [place, row] of Object.entries(CALLBACKS)) {
  Deno.test(`harm: ${place} that misbehaves harms its own run at most`, async () => {
    using time = new FakeTime();
    const real = console.error;
    console.error = () => {};
    const failures: string[] = [];
    try {
      for (const [name, misbehave] of Object.entries(MISBEHAVIOURS)) {
        let failure: unknown;
        const harm = await harmDuring(async () => {
          await cell(time, row, name, misbehave).catch((error) => failure = error);
        });
        if (failure !== undefined) failures.push(`${name}: ${shown(failure)}`);
        if (harm.length > 0 && !(row.ownPromises && name.startsWith("returns a promise that rejects"))) {
          failures.push(`${name}: unhandled ${harm.map(shown)}`);
        }
      }
    } finally {
      console.error = real;
    }
    assertEquals(failures, []);
  });
}
