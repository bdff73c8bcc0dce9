/**
 * Bills a subscription for a year: the plan changes, a charge fails and is retried the next day, and the process dies in summer. A
 * year on the virtual clock takes a few milliseconds.
 *
 * Its tests make every run with one failure (320), with one cancellation (180), and with one crash in the plain order (157). Of those
 * with two of them there are too many: 300 are made.
 *
 * `deno run examples/subscription.ts`
 *
 * @module
 */

import {
  activity,
  type ActivityContext,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Plan {
  readonly name: string;
  readonly euros: number;
}

/** The outside world: a payment service that charges once per key, and fails for two days in October. */
const payments = new Map<string, number>();
const clock = new VirtualClock({ startAt: Date.UTC(2026, 0, 1) });
const today = () => new Date(clock.now()).toISOString().slice(0, 10);

const charge = activity((euros: number, { idempotencyKey }: ActivityContext): string => {
  if (["2026-10-01", "2026-10-02"].includes(today())) throw new Error("The bank is closed");
  payments.set(idempotencyKey, euros);
  return today();
}, {
  name: "charge",
  timeoutMs: 60_000,
  retry: { maxAttempts: 7, initialIntervalMs: DAY_MS, backoffCoefficient: 1, maxIntervalMs: DAY_MS, jitter: false },
});

export async function subscription(ctx: WorkflowContext, plan: Plan): Promise<string[]> {
  const bills: string[] = [];
  let paid = 0;
  ctx.handleQuery("paid", () => paid);
  const start = new Date(ctx.now());
  for (let month = 1; month <= 12; month++) {
    const date = await ctx.executeActivity(charge, plan.euros);
    paid += plan.euros;
    bills.push(`${date} ${plan.name} ${plan.euros}`);
    const next = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + month, start.getUTCDate());
    while (ctx.now() < next) {
      plan = await ctx.waitForSignal<Plan>("plan", { timeoutMs: next - ctx.now() }).catch((error) => {
        if (error instanceof TimeoutError) return plan; // the plan did not change
        throw error;
      });
    }
  }
  return bills;
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  const store = new InMemoryStore();
  const first = new Executor({ store, clock });
  const stopped = Promise.withResolvers<void>();
  clock.setTimer(Date.UTC(2026, 4, 20), () => {
    clock.hold(); // no time passes while the signal is being sent
    first.signal("ada", "plan", { name: "large", euros: 25 }).finally(() => clock.release());
  });
  clock.setTimer(Date.UTC(2026, 6, 14), () => {
    clock.hold(); // no time passes while no executor runs
    first.close().then(stopped.resolve);
  });
  await first.execute(subscription, { id: "ada", input: { name: "small", euros: 10 } });
  await stopped.promise;

  await using second = new Executor({ store, clock, workflows: { subscription } });
  const paid = await second.query("ada", "paid"); // answered by a replay
  print(`--- the process dies on ${today()}, with ${paid} euros paid; another one recovers`);
  const [handle] = await second.recover();
  clock.release();
  for (const bill of await handle.result() as string[]) print(bill);
  const total = [...payments.values()].reduce((sum, euros) => sum + euros, 0);
  print(`on ${today()}: ${payments.size} payments, ${total} euros`);
}

if (import.meta.main) await story(console.log);
