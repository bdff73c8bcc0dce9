import { assert, assertEquals } from "@std/assert";
import {
  attempts,
  type CrashRun,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  whatIf,
} from "@rockpool/workflow/testing";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";
import { decided, expense, story } from "./approval.ts";

Deno.test("examples/approval.ts keeps its deadlines when the process dies", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies on day 2; another one recovers on day 3",
    "pencils: approved as small",
    "a chair: approved by Ada on day 5",
    "a boat: refused by the calendar on day 8",
    "a lamp: approved by Mara on day 1",
    "  mail, please decide: a chair for 340 euros",
    "  mail, please decide: a boat for 9000 euros",
    "  mail, please decide: a lamp for 80 euros",
    "  mail, reminder: a chair",
    "  mail, reminder: a boat",
    "  mail, too late: a boat",
  ]);
});

const DAY_MS = 86_400_000;
const mails = new Map<string, string>();
const options: CrashTestOptions = {
  input: { what: "a boat", euros: 9000 },
  activities: [replace(
    "sendMail",
    attempts<string, unknown>(fails("busy"), (text, { idempotencyKey }) => mails.set(idempotencyKey, text).size),
  )],
  setUp: () => mails.clear(),
  effects: () => [...mails.values()],
};
const onDay = (day: number) => [{ atMs: (day - 1) * DAY_MS, name: decided, payload: { approved: true, by: "Ada" } }];

for (
  const [when, signals, result] of [
    ["nobody decides", [], "refused by the calendar on day 8"],
    ["somebody decides at once", onDay(1), "approved by Ada on day 1"],
    ["somebody decides after the reminder", onDay(6), "approved by Ada on day 6"],
  ] as const
) {
  Deno.test(`examples/approval.ts ends the same in a crash and a cancellation at every point when ${when}`, async () => {
    const { undisturbed, canceled } = await crashAndCancelEverywhere(expense, { ...options, signals });
    assertEquals(undisturbed.result, result);
    for (const { state } of canceled.slice(0, -1)) assertEquals(state.status, "canceled");
  });
}

const decidedOnce = {
  input: { what: "a boat", euros: 9000 },
  activities: [replace("sendMail", (text: string, { idempotencyKey }) => void mails.set(idempotencyKey, text))],
  signals: onDay(6),
  setUp: () => mails.clear(),
  check({ state, result }: CrashRun) {
    assert(state.status !== "failed", "a mail that cannot be sent has decided");
    if (result !== undefined) { // the time is up when day 8 begins: a decision in that instant may come first
      assert(/^approved by Ada on day [1-8]$|^refused by the calendar on day 8$/.test(`${result}`));
    }
    assertEquals(new Set(mails.values()).size, mails.size, "a mail was sent twice");
  },
};

Deno.test("examples/approval.ts keeps its deadlines in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(expense, { ...decidedOnce, ...bounds });
  assertEquals(missing, []);
});

Deno.test("examples/approval.ts keeps its deadlines if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(expense, decidedOnce);
  assertEquals([bad, missing], [[], []]);
});
