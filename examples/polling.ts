/**
 * Polls an external job with growing pauses, until a time limit. Each answer is recorded, so after a crash the next executor polls
 * no earlier and no more often than planned.
 *
 * `deno run examples/polling.ts`
 *
 * @module
 */

import {
  activity,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";

const MINUTE_MS = 60 * 1000;

/** The outside world: when each job is done, and how often it was polled. */
const jobs = new Map<string, { doneAt: number; asked: number }>();
const clock = new VirtualClock();

const statusOf = activity((job: string): "running" | "done" => {
  const one = jobs.get(job)!;
  one.asked++;
  if (one.asked === 3) throw new Error("The service is busy"); // the activity's retry policy makes another attempt
  return clock.now() < one.doneAt ? "running" : "done";
}, { name: "statusOf", timeoutMs: 10_000, retry: { initialIntervalMs: 5000 } });

export interface PollOptions {
  readonly job: string;
  readonly giveUpAfterMs: number;
}

export async function poll(ctx: WorkflowContext, { job, giveUpAfterMs }: PollOptions): Promise<string> {
  const startedAt = ctx.now();
  const minutes = () => Math.floor((ctx.now() - startedAt) / MINUTE_MS);
  for (let delayMs = MINUTE_MS;; delayMs = Math.min(2 * delayMs, 10 * MINUTE_MS)) {
    const status = await ctx.executeActivity(statusOf, job);
    if (status === "done") return `done, seen after ${minutes()} minutes`;
    if (ctx.now() - startedAt >= giveUpAfterMs) {
      throw new TimeoutError(`${job} was not done after ${minutes()} minutes`, giveUpAfterMs);
    }
    await ctx.sleep(delayMs);
  }
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  const startedAt = clock.now();
  jobs.set("the report", { doneAt: startedAt + 25 * MINUTE_MS, asked: 0 });
  jobs.set("the archive", { doneAt: Infinity, asked: 0 });
  const store = new InMemoryStore();
  const first = new Executor({ store, clock });
  const stopped = Promise.withResolvers<void>();
  clock.setTimer(startedAt + 5 * MINUTE_MS, () => {
    clock.hold(); // no time passes while no executor runs
    first.close().then(stopped.resolve);
  });
  clock.hold();
  for (const job of jobs.keys()) await first.execute(poll, { id: job, input: { job, giveUpAfterMs: 60 * MINUTE_MS } });
  clock.release();
  await stopped.promise;
  const asked = [...jobs].map(([job, { asked }]) => `${job} ${asked} times`);
  print(`--- the process dies after 5 minutes (asked for ${asked.join(", for ")}); another one recovers`);

  await using second = new Executor({ store, clock, workflows: { poll } });
  const handles = await second.recover();
  clock.release();
  for (const handle of handles) {
    print(`${handle.id}: ${await handle.result().catch((error: Error) => `${error.name}, ${error.message}`)}`);
    const attempts = (await second.describe(handle.id, { history: true })).history.filter((event) =>
      "attempt" in event
    ).length;
    print(`  asked ${jobs.get(handle.id)!.asked} times, ${attempts} answers and failures in its history`);
  }
}

if (import.meta.main) await story(console.log);
