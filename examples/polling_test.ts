import { assertEquals } from "@std/assert";
import { attempts, crashTest, fails, replace } from "@rockpool/workflow/testing";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
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
