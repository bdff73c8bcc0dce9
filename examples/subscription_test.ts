import { assert, assertEquals } from "@std/assert";
import type { ActivityContext } from "@rockpool/workflow";
import {
  attempts,
  type CrashRun,
  crashTest,
  explore,
  fails,
  replace,
  type TimedSignal,
  whatIf,
} from "@rockpool/workflow/testing";
import { bounds } from "../tests/support/exploring.ts";
import { story, subscription } from "./subscription.ts";

Deno.test("examples/subscription.ts bills a year", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies on 2026-07-14, with 100 euros paid; another one recovers",
    "2026-01-01 small 10",
    "2026-02-01 small 10",
    "2026-03-01 small 10",
    "2026-04-01 small 10",
    "2026-05-01 small 10",
    "2026-06-01 large 25",
    "2026-07-01 large 25",
    "2026-08-01 large 25",
    "2026-09-01 large 25",
    "2026-10-03 large 25",
    "2026-11-01 large 25",
    "2026-12-01 large 25",
    "on 2027-01-01: 12 payments, 225 euros",
  ]);
});

const DAY_MS = 86_400_000;
const payments = new Map<string, number>();
const charge = (euros: number, { idempotencyKey }: ActivityContext) => {
  payments.set(idempotencyKey, euros);
  return `payment ${payments.size}`;
};

for (
  const [when, atMs, paid] of [
    ["it is not cancelled", undefined, 12],
    ["it is cancelled while the bank is closed", DAY_MS / 2, 0],
    ["it is cancelled in the second month", 40 * DAY_MS, 2],
  ] as const
) {
  Deno.test(`examples/subscription.ts charges once a month in a crash at every point when ${when}`, async () => {
    const { undisturbed } = await crashTest(subscription, {
      input: { name: "small", euros: 10 },
      signals: [{ atMs: 100 * DAY_MS, name: "plan", payload: { name: "large", euros: 25 } }],
      cancel: atMs === undefined ? undefined : { atMs },
      activities: [replace("charge", attempts<number, string>(fails("The bank is closed"), charge))],
      setUp: () => payments.clear(),
      effects: () => [...payments.values()],
    });
    assertEquals([undisturbed.state.status, payments.size], [paid === 12 ? "completed" : "canceled", paid]);
    assertEquals(undisturbed.result?.at(-1), paid === 12 ? "payment 12 large 25" : undefined);
  });
}

const onceAMonth = {
  input: { name: "small", euros: 10 },
  signals: [{ atMs: 100 * DAY_MS, name: "plan", payload: { name: "large", euros: 25 } }] as [TimedSignal],
  activities: [replace("charge", charge)],
  setUp: () => payments.clear(),
  check({ state: { status, history } }: CrashRun) {
    const months = history.flatMap(({ type, at }) => type === "activity_started" ? [new Date(at).getUTCMonth()] : []);
    assertEquals(new Set(months).size, months.length, "two charges in a month");
    assert(payments.size <= months.length);
    if (status === "completed") assertEquals(payments.size, 12);
  },
};

Deno.test("examples/subscription.ts charges once a month in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(subscription, { ...onceAMonth, ...bounds });
  assertEquals(missing, []);
});

for (
  const [what, bounds, all] of [
    ["failure", { faults: 1, delays: 0, failures: ["fails", "loses its answer", "never answers"] }, 320],
    ["cancellation", { cancels: 1, delays: 0 }, 180],
    ["crash", { crashes: 1, orders: false }, 157],
  ] as const
) {
  Deno.test(`examples/subscription.ts charges once a month in each of the ${all} runs with one ${what}`, async () => {
    const { runs, complete, missing } = await explore(subscription, { ...onceAMonth, ...bounds });
    assertEquals([runs, complete, missing], [all, true, []]);
  });
}

Deno.test("examples/subscription.ts charges once a month if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(subscription, onceAMonth);
  assertEquals([bad, missing], [[], []]);
});
