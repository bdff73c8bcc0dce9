/**
 * A shop whose charges are transactional activities: what the processes do that are killed, and what must be true afterwards. A
 * ledger has a row for each charge, and nothing in the database keeps it from having two.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ActivityContext, Executor, type WorkflowContext, type WorkflowStore } from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { silent } from "./executors.ts";
import { killed } from "./kill_rounds.ts";

/** A store with a ledger. */
export interface Shop extends AsyncDisposable {
  readonly store: WorkflowStore;
  /** A transactional activity that adds its input to the ledger, and returns the number of the row. */
  readonly charge: (what: string, context: ActivityContext) => Promise<number>;
  /** What was added, in any order. */
  ledger(): Promise<string[]>;
}

const CHARGES = 3;
/** So short that nobody waits long for the lease of a process that was killed. */
const LEASE_MS = 1_000;

/** The workflow of a shop. It calls `paid` between the commit of a charge and the append of its result. */
function orders({ charge }: Shop, paid: () => void) {
  async function pay(what: string, context: ActivityContext): Promise<number> {
    const row = await charge(what, context);
    paid();
    return row;
  }
  return async function order(ctx: WorkflowContext): Promise<number[]> {
    const rows: number[] = [];
    for (let i = 0; i < CHARGES; i++) rows.push(await ctx.executeActivity(pay, `${ctx.workflowId} ${i}`));
    return rows;
  };
}

/**
 * What a process does: orders, until it is killed.
 *
 * @param round Is in the IDs of the orders. "between": it kills itself between the commit of the first charge and the append.
 */
export async function orderUntilKilled(shop: Shop, round: string): Promise<never> {
  const print = () => void Deno.stdout.writeSync(new TextEncoder().encode("paid\n"));
  const die = () => Deno.kill(Deno.pid, "SIGKILL");
  const order = orders(shop, round === "between" ? die : print);
  const executor = new Executor({ store: shop.store, workflows: { order }, logger: silent, leaseMs: LEASE_MS });
  const recovered = await executor.recover();
  await Promise.all(recovered.map((handle) => handle.result()));
  for (let i = 0;; i++) {
    const ids = Array.from({ length: 5 }, (_, n) => `${round}-${i}-${n}`);
    await Promise.all(ids.map(async (id) => await (await executor.execute(order, { id })).result()));
  }
}

/** Finishes the orders that are open. */
async function finish(shop: Shop): Promise<void> {
  const { store } = shop;
  const workflows = { order: orders(shop, () => {}) };
  await using executor = new Executor({ store, workflows, logger: silent, leaseMs: LEASE_MS });
  while ((await store.list({ status: "running" })).length > 0) {
    for (const handle of await executor.recover()) await handle.result();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The charges whose results are recorded. */
async function recorded({ store }: Shop): Promise<string[]> {
  const charges: string[] = [];
  for (const { workflowId, history } of await store.list()) {
    let i = 0;
    for (const { type } of history) if (type === "activity_completed") charges.push(`${workflowId} ${i++}`);
  }
  return charges.sort();
}

/** Kills a process between the commit of a charge and the append of its result, and lets another one finish. */
export async function killBetween(program: URL, place: string, open: (place: string) => Promise<Shop>): Promise<void> {
  await killed(program, [place, "between"], Infinity);
  await using shop = await open(place);
  const charged = await shop.ledger();
  const records = await recorded(shop);
  assert(charged.length > records.length, `${charged.length} rows, ${records.length} results`);
  await finish(shop);
  const all = await shop.ledger();
  assertEquals(all.sort(), await recorded(shop));
  assertEquals(all.length, CHARGES * 5);
}

/** Kills processes at random. After each, every recorded result has its row; in the end, every row has its result. */
export async function ledgerRounds(
  program: URL,
  places: readonly string[],
  open: (place: string) => Promise<Shop>,
  rounds: number,
): Promise<void> {
  let round = 0;
  await Promise.all(places.map(async (place, i) => {
    const random = seeded(11 + i);
    while (round < rounds) {
      const own = round++;
      await killed(program, [place, `${own}`], 1 + Math.floor(random() * 100));
      await using shop = await open(place);
      const rows = await shop.ledger();
      const charged = new Set(rows);
      assertEquals(charged.size, rows.length, `round ${own}: something was charged twice`);
      for (const one of await recorded(shop)) assert(charged.has(one), `round ${own}: ${one} has no row`);
    }
    await using shop = await open(place);
    await finish(shop);
    assertEquals((await shop.ledger()).sort(), await recorded(shop));
  }));
}
