import { assert, assertEquals } from "@std/assert";
import { attempts, type CrashRun, crashTest, explore, fails, replace, whatIf } from "@rockpool/workflow/testing";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";
import { poll, story } from "./polling.ts";

Deno.test("examples/polling.ts polls with growing pauses, also after a crash", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies after 5 minutes (asked for the report 4 times, for the archive 4 times); another one recovers",
    "the report: done, seen after 25 minutes",
    "  asked 7 times, 7 answers and failures in its history",
    "the archive: TimeoutError, the archive was not done after 65 minutes",
    "  asked 11 times, 11 answers and failures in its history",
  ]);
});

const polls = new Set<string>();

/** A service that is busy at each first attempt, and whose job is done at the given poll. */
const jobThatIsDone = (atPoll: number) => ({
  input: { job: "the report", giveUpAfterMs: 30 * 60_000 },
  activities: [replace(
    "statusOf",
    attempts<string, string>(fails("busy"), (_job, { idempotencyKey }) => {
      return polls.add(idempotencyKey).size < atPoll ? "running" : "done";
    }),
  )],
  setUp: () => polls.clear(),
  effects: () => polls.size,
});

Deno.test("examples/polling.ts ends the same in a crash and a cancellation at every point", async () => {
  const { undisturbed, canceled } = await crashAndCancelEverywhere(poll, jobThatIsDone(3));
  assertEquals(undisturbed.result, "done, seen after 3 minutes");
  for (const { state } of canceled.slice(0, -1)) assertEquals(state.status, "canceled");
});

Deno.test("examples/polling.ts gives up after its time limit in a crash at every point", async () => {
  const { undisturbed } = await crashTest(poll, jobThatIsDone(Infinity));
  assertEquals((undisturbed.error as Error).name, "TimeoutError");
});

const MINUTE_MS = 60_000;
const noEarlier = {
  ...jobThatIsDone(3),
  activities: [replace("statusOf", (_job: string, { idempotencyKey }) => {
    return polls.add(idempotencyKey).size < 3 ? "running" : "done" as const;
  })],
  check({ state: { history } }: CrashRun) {
    const polled = history.flatMap(({ type, at }) => type === "activity_started" ? [at] : []);
    for (const [i, at] of polled.slice(1).entries()) assert(at - polled[i] >= MINUTE_MS * 2 ** i, "polled too early");
  },
};

Deno.test("examples/polling.ts polls no earlier than planned in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(poll, { ...noEarlier, ...bounds });
  assertEquals(missing, []);
});

Deno.test("examples/polling.ts polls no earlier than planned if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(poll, noEarlier);
  assertEquals([bad, missing], [[], []]);
});
