/**
 * Keeps an account that never ends: updates with validation, queries, and a history that stays short. Each move is audited once, also
 * if the process dies or the account is closed meanwhile.
 *
 * `deno run examples/entity.ts`
 *
 * @module
 */

import {
  activity,
  type ActivityContext,
  defineQuery,
  defineUpdate,
  Executor,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
} from "@rockpool/workflow";

/** Moves money: a positive amount in, a negative amount out. Returns the new balance. */
export const move = defineUpdate<number, number>("move", {
  validate(amount) {
    if (!Number.isInteger(amount) || amount === 0) throw new TypeError(`Cannot move ${amount}: not a number of cents`);
  },
});
export const balanceOf = defineQuery<number>("balance");

/** The outside world: a list that takes a line once per key. */
const audited = new Map<string, string>();
const audit = activity(
  (line: string, { idempotencyKey }: ActivityContext) => void audited.set(idempotencyKey, line),
  { name: "audit", timeoutMs: 10_000, retry: { maxAttempts: Infinity, maxIntervalMs: 600_000 } },
);

/** How many updates one run takes before it continues as a new run. */
const UPDATES_A_RUN = 3;

/** What an account begins with, and each further run of it. */
interface Opening {
  readonly balance: number;
  readonly runs: number;
}

export async function account(ctx: WorkflowContext<Opening>, opening: Opening): Promise<never> {
  let { balance } = opening;
  let taken = 0;
  let open = 0;
  ctx.handleQuery(balanceOf, () => balance);
  ctx.handleUpdate(move, async (amount) => {
    open++;
    balance += amount;
    taken++;
    const after = balance;
    try {
      // The money has moved: it is audited although the account is closed meanwhile.
      await ctx.shield((ctx) => ctx.executeActivity(audit, `${amount > 0 ? "+" : ""}${amount} makes ${after}`));
    } finally {
      open--;
    }
    return after;
  }, {
    validate(amount) {
      if (balance + amount < 0) throw new RangeError(`Cannot move ${amount}: the balance is ${balance}`);
    },
  });
  try {
    await ctx.waitUntil(() => taken >= UPDATES_A_RUN && open === 0);
  } catch (error) { // the account is closed
    await ctx.shield((ctx) => ctx.waitUntil(() => open === 0));
    throw error;
  }
  return await ctx.continueAsNew({ balance, runs: opening.runs + 1 });
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  audited.clear();
  const store = new InMemoryStore();
  const clock = new VirtualClock();
  let executor = new Executor({ store, clock, workflows: { account } });
  await executor.execute(account, { id: "ada", input: { balance: 0, runs: 0 } });
  for (const amount of [500, -120, 75, -1000, 30]) {
    try {
      print(`move ${amount}: balance ${await executor.update("ada", move, amount)}`);
    } catch (error) {
      print(`move ${amount}: ${(error as Error).message}`);
    }
  }
  await executor.close();
  print("--- the process dies; another one recovers");
  executor = new Executor({ store, clock, workflows: { account } });
  await executor.recover();
  print(`balance ${await executor.query("ada", balanceOf)}`);
  for (const amount of [-85, 100]) print(`move ${amount}: balance ${await executor.update("ada", move, amount)}`);
  const { history, input } = (await store.load("ada"))!;
  print(`continued as a new run ${(input as { runs: number }).runs} times; its history has ${history.length} events`);
  print(`audited once each: ${[...audited.values()].join(", ")}`);
  await executor.close();
}

if (import.meta.main) await story(console.log);
