/**
 * Waits for the approval of expenses: a reminder after three days, a refusal after seven. The deadlines are kept although the
 * process dies, and although no mail can be sent. An expense that is cancelled tells so. The clock is virtual, so the example takes no
 * time.
 *
 * `deno run examples/approval.ts`
 *
 * @module
 */

import {
  activity,
  type ActivityContext,
  defineSignal,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";

const DAY_MS = 24 * 60 * 60 * 1000;

export const decided = defineSignal<{ approved: boolean; by: string }>("decided");

/** The outside world: a mail service that sends once per key. */
const outbox = new Map<string, string>();
const sendMail = activity(
  (text: string, { idempotencyKey }: ActivityContext) => void outbox.set(idempotencyKey, text),
  { name: "sendMail", timeoutMs: 10_000, retry: { maxAttempts: 10 } },
);

/** Sends a mail. One that cannot be sent decides nothing. */
async function tell(ctx: WorkflowContext, text: string): Promise<void> {
  try {
    await ctx.executeActivity(sendMail, text);
  } catch (error) {
    if (ctx.signal.aborted) throw error; // the expense is cancelled
  }
}

export async function expense(ctx: WorkflowContext, { what, euros }: { what: string; euros: number }): Promise<string> {
  const today = () => 1 + Math.floor((ctx.now() - ctx.startedAt) / DAY_MS);
  const outcome = (decision: { approved: boolean; by: string }) =>
    `${decision.approved ? "approved" : "refused"} by ${decision.by} on day ${today()}`;
  if (euros < 50) return "approved as small";
  ctx.addCompensation((ctx) => tell(ctx, `withdrawn: ${what}`)); // for example, the expense is cancelled
  await tell(ctx, `please decide: ${what} for ${euros} euros`);
  for (const [day, mail] of [[3, `reminder: ${what}`], [7, `too late: ${what}`]] as const) {
    try {
      const leftMs = ctx.startedAt + day * DAY_MS - ctx.now(); // a mail may have taken a while
      return outcome(await ctx.waitForSignal(decided, { timeoutMs: Math.max(0, leftMs) }));
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      await tell(ctx, mail);
    }
  }
  return outcome({ approved: false, by: "the calendar" });
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  outbox.clear();
  const store = new InMemoryStore();
  const clock = new VirtualClock();
  const first = new Executor({ store, clock });
  const stopped = Promise.withResolvers<void>();
  clock.hold(); // no time passes until all expenses are started
  clock.setTimer(1 * DAY_MS, () => {
    clock.hold(); // no time passes while no executor runs
    first.close().then(stopped.resolve);
  });
  for (const [what, euros] of [["pencils", 12], ["a chair", 340], ["a boat", 9000], ["a lamp", 80]] as const) {
    await first.execute(expense, { id: what, input: { what, euros } });
  }
  await first.signal("a lamp", decided, { approved: true, by: "Mara" });
  clock.release();
  await stopped.promise;
  print("--- the process dies on day 2; another one recovers on day 3");
  await clock.advance(1 * DAY_MS);

  await using second = new Executor({ store, clock, workflows: { expense } });
  const handles = await second.recover();
  clock.at(4 * DAY_MS, () => second.signal("a chair", decided, { approved: true, by: "Ada" }));
  clock.release();
  await Promise.all(handles.map((handle) => handle.result()));
  for (const { workflowId, result } of await store.list()) print(`${workflowId}: ${result}`);
  for (const mail of outbox.values()) print(`  mail, ${mail}`);
}

if (import.meta.main) await story(console.log);
