/**
 * Writes a report every night at two o'clock. One process dies in the afternoon and one at midnight; the schedule is paused over
 * the holidays; one report fails; one is triggered by hand.
 *
 * The rule has equal intervals. For cron patterns and time zones, use the rule of a parser such as `croner`:
 * `new Cron("0 2 * * *", { timezone: "Europe/Berlin" })`.
 *
 * `deno run examples/schedule.ts`
 *
 * @module
 */

import { activity, Executor, InMemoryStore, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import {
  every,
  type Occurrence,
  pauseSchedule,
  resumeSchedule,
  schedule,
  scheduleInfo,
  triggerSchedule,
} from "@rockpool/workflow/schedule";

const HOUR_MS = 60 * 60 * 1000;

const minuteOf = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

/** The outside world: the sales of a shop that is closed on Christmas Day. */
const countSales = activity((day: string): number => {
  if (day === "2026-12-25") throw new Error("The shop is closed");
  return 100 + Number(day.slice(-2));
}, { name: "countSales", timeoutMs: 60_000, retry: {} });

export async function report(ctx: WorkflowContext, { dueAt, triggered }: Occurrence): Promise<string> {
  const day = minuteOf(dueAt).slice(0, 10);
  const sales = await ctx.executeActivity(countSales, day);
  return `${day}: ${sales} sales${triggered ? ", so far" : ""}; written at ${minuteOf(ctx.now())}`;
}

export const nightly = schedule(report, {
  rule: every(24 * HOUR_MS, { offsetMs: 2 * HOUR_MS }),
  catchUpMs: 6 * HOUR_MS,
});

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  const store = new InMemoryStore();
  const clock = new VirtualClock({ startAt: Date.UTC(2026, 11, 18, 12) });
  const options = { store, clock, workflows: { nightly, report } };
  let executor = new Executor(options);
  clock.hold();
  /** Lets time pass until then, and stops it again. */
  const until = (day: number, hour: number) =>
    new Promise<void>((resolve) => {
      clock.setTimer(Date.UTC(2026, 11, day, hour), () => (clock.hold(), resolve()));
      clock.release();
    });
  const restart = async (why: string, day: number, hour: number) => {
    await executor.close();
    clock.advance(Date.UTC(2026, 11, day, hour) - clock.now());
    print(`--- ${why}; another one recovers at ${minuteOf(clock.now())}`);
    executor = new Executor(options);
    await executor.recover();
  };

  await executor.execute(nightly, { id: "nightly" });
  await until(19, 14);
  await restart("the process dies in the afternoon", 19, 16); // nothing was due meanwhile
  await until(21, 0);
  await restart("the process dies at midnight", 21, 5); // not too late for the report of two o'clock
  await until(22, 12);
  await executor.signal("nightly", pauseSchedule);
  await until(24, 12);
  await executor.signal("nightly", resumeSchedule);
  await until(26, 18);
  await executor.signal("nightly", triggerSchedule);
  await until(27, 12);

  for (const { workflowId, status, result, error } of await store.list({ idPrefix: "nightly:" })) {
    print(`${workflowId} ${status}: ${result ?? error?.message}`);
  }
  const { nextAt, runs } = await executor.query("nightly", scheduleInfo);
  print(`${runs} reports; the next one is due at ${minuteOf(nextAt!)}`);
  await executor.close();
}

if (import.meta.main) await story(console.log);
