import { assertEquals } from "@std/assert";
import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
import {
  attempts,
  crashTest,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  simulate,
  whatIf,
} from "@rockpool/workflow/testing";
import { bounds } from "../tests/support/exploring.ts";
import { acquire, mutex, newMutex, printJob, story } from "./mutex.ts";

Deno.test("examples/mutex.ts passes the lock on when its owner is dead, and when the process dies", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies after 20 s; another one recovers",
    "0 s: page 1 of a",
    "5 s: page 2 of a",
    "10 s: page 1 of b",
    "70 s: page 1 of d",
    "75 s: page 2 of d",
  ]);
});

const printed = new Map<string, string>();
const print = (page: string, { idempotencyKey }: ActivityContext) => void printed.set(idempotencyKey, page);

/** A job that never releases the lock. */
async function hoarder(ctx: WorkflowContext) {
  await acquire(ctx, "printer", 60_000);
  await ctx.waitForSignal("never", { timeoutMs: 1_000_000 });
}

/** A lock that continues as new after some events, and jobs that need it at the same time. */
async function office(ctx: WorkflowContext, { maxEvents, hoards }: { maxEvents: number; hoards: boolean }) {
  ctx.startChild(mutex, { ...newMutex, maxEvents }, { id: "printer" });
  await ctx.signalWorkflow("printer", "hello"); // the lock has started
  if (hoards) ctx.startChild(hoarder, undefined, { id: "hoarder" });
  const children = ["a", "b", "c"].map((id) => ctx.startChild(printJob, 2, { id }));
  return (await Promise.allSettled(children.map((child) => child.result()))).map(({ status }) => status);
}

const options: CrashTestOptions = {
  workflows: { mutex, printJob, hoarder },
  activities: [replace("print", attempts<string, void>(fails("no paper"), print))],
  setUp: () => printed.clear(),
};
/** The jobs that have printed, in order; a job is there twice if others printed between its pages. */
const turns = () => [...printed.values()].map((page) => page.slice(-1)).filter((job, i, all) => job !== all[i - 1]);
const effects = () => turns().sort();

for (
  const [when, input, cancel, expected] of [
    ["all need it", { maxEvents: 1000, hoards: false }, undefined, "abc"],
    ["it continues as new again and again", { maxEvents: 10, hoards: false }, undefined, "abc"],
    ["the owner never releases it", { maxEvents: 1000, hoards: true }, undefined, "abc"],
    ["one that waits for it is cancelled", { maxEvents: 1000, hoards: false }, { atMs: 50, id: "b" }, "ac"],
    ["the owner is cancelled", { maxEvents: 1000, hoards: false }, { atMs: 50, id: "a" }, "bc"],
  ] as const
) {
  Deno.test(`examples/mutex.ts gives the lock to one after the other in a crash at every point when ${when}`, async () => {
    const { undisturbed } = await crashTest(office, { ...options, input, cancel, effects });
    assertEquals(effects().join(""), expected);
    assertEquals(undisturbed.result?.filter((status) => status === "fulfilled").length, expected.length);
  });
}

for (const executors of [1, 2]) {
  Deno.test(`examples/mutex.ts lets one print at a time when prints are slow and cancelled, with ${executors} executors`, async () => {
    await simulate({
      workflow: office,
      input: { maxEvents: 10, hoards: false },
      workflows: { mutex, printJob },
      activities: [replace("print", print)],
      executors,
      cancel: { atMs: 0, id: "b" },
      rates: { late: 1, activityDelay: 1 },
      maxDelayMs: 5000,
      setUp: () => printed.clear(),
      atEnd: () => assertEquals(turns().length, new Set(turns()).size),
    }, { seeds: 100 });
  });
}

/** Two jobs of two pages. */
async function twoJobs(ctx: WorkflowContext) {
  ctx.startChild(mutex, newMutex, { id: "printer" });
  await ctx.signalWorkflow("printer", "hello"); // the lock has started
  await Promise.allSettled(["a", "b"].map((id) => ctx.startChild(printJob, 2, { id }).result()));
}
const oneAtATime = {
  workflows: { mutex, printJob },
  activities: [replace("print", print)],
  setUp: () => printed.clear(),
  check: () => assertEquals(turns().length, new Set(turns()).size),
};

Deno.test("examples/mutex.ts lets one print at a time in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(twoJobs, { ...oneAtATime, ...bounds, maxRuns: 200 });
  assertEquals(missing, []);
});

Deno.test("examples/mutex.ts lets one print at a time if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(twoJobs, oneAtATime);
  assertEquals([bad, missing], [[], []]);
});
