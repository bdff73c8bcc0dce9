/**
 * Schedules with a real parser of cron patterns, over the changes of daylight saving time.
 *
 * `croner` is fetched from npm when the test runs, and is in no import map: the published package needs no parser, and
 * where npm does not answer, these tests are ignored.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { type Occurrence, schedule, type ScheduleRule } from "@rockpool/workflow/schedule";
import { setUp } from "../tests/support/executors.ts";

type CronClass = new (pattern: string, options: { timezone: string }) => ScheduleRule;

const specifier: string = ["npm:croner", "11.0.1"].join("@"); // computed, so that a type check does not fetch it
let timer: ReturnType<typeof setTimeout>;
const late = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), 5000));
const fetched = import(specifier).then(({ Cron }) => Cron as CronClass, () => undefined);
const Cron = await Promise.race([fetched, late]);
clearTimeout(timer!);

const local = new Intl.DateTimeFormat("sv", { timeZone: "Europe/Berlin", dateStyle: "short", timeStyle: "short" });

/** Runs a schedule of 2026 and returns the local times of its runs. */
async function yearOf(pattern: string): Promise<string[]> {
  const times: string[] = [];
  const work = (ctx: WorkflowContext, { dueAt }: Occurrence) => {
    assertEquals(ctx.now(), dueAt);
    times.push(local.format(dueAt));
  };
  const { executor } = setUp({ startAt: Date.parse("2026-01-01T00:00+01:00") });
  const rule = new Cron!(pattern, { timezone: "Europe/Berlin" });
  const options = { rule, endAt: Date.parse("2026-12-31T23:59+01:00") };
  await (await executor.execute(schedule(work, options), { id: "a" })).result();
  await executor.close();
  return times;
}

Deno.test({
  name: "schedule() runs at the same hour in winter and in summer, by a rule of croner",
  ignore: Cron === undefined,
  async fn() {
    const times = await yearOf("0 9 * * 1");
    assertEquals([times.length, times[0]], [52, "2026-01-05 09:00"]);
    assertEquals(new Set(times.map((time) => time.slice(11))), new Set(["09:00"]));
  },
});

Deno.test({
  name: "schedule() runs once on the days that have no half past two, or two of them, by a rule of croner",
  ignore: Cron === undefined,
  async fn() {
    const times = await yearOf("30 2 * * *");
    assertEquals([times.length, new Set(times.map((time) => time.slice(0, 10))).size], [365, 365]);
    const odd = times.filter((time) => time.slice(11) !== "02:30");
    assertEquals(odd, ["2026-03-29 03:00"]);
  },
});
