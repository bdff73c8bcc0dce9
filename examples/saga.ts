/**
 * Books a whole trip or nothing. If a part is sold out, the parts that are booked are released, newest first, although the process
 * dies in between.
 *
 * `deno run examples/saga.ts`
 *
 * @module
 */

import {
  activity,
  Executor,
  InMemoryStore,
  type Middleware,
  NonRetryableError,
  type WorkflowContext,
} from "@rockpool/workflow";

/** The outside world: what is booked, and what is sold out. */
const booked = new Set<string>();
const soldOut = new Set<string>();

/** The limit is longer than the service works on a request: after a timeout, no booking can still come. */
const timeoutMs = 60_000;

const book = activity((what: string): string => {
  if (soldOut.has(what)) throw new NonRetryableError(`The ${what} is sold out`);
  booked.add(what);
  return `${what} booked`;
}, { name: "book", timeoutMs, retry: {} });

/** Works when it is called twice, as every activity must. It is repeated until it succeeds. */
const release = activity((what: string): string => {
  return booked.delete(what) ? `${what} released` : `no ${what} to release`;
}, { name: "release", timeoutMs, retry: { maxAttempts: Infinity, maxIntervalMs: 600_000 } });

export async function trip(ctx: WorkflowContext, parts: readonly string[]): Promise<readonly string[]> {
  const receipts: string[] = [];
  for (const part of parts) {
    // Added before the booking: a booking without an answer may have taken effect.
    ctx.addCompensation((ctx) => ctx.executeActivity(release, part), { name: `release ${part}` });
    receipts.push(await ctx.executeActivity(book, part));
  }
  return receipts;
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  soldOut.add("car");
  const store = new InMemoryStore();
  const tell: Middleware = async (call, next) => {
    if (call.kind !== "activity") return await next();
    const answer = await next().catch((error: Error) => {
      print(error.message);
      throw error;
    });
    print(String(answer));
    return answer;
  };
  const dieAfterHotel: Middleware = async (call, next) => {
    const answer = await next();
    if (call.kind === "activity" && call.name === "release" && call.input === "hotel") {
      print("--- the process dies before that is recorded; another one recovers");
      await first.close();
    }
    return answer;
  };

  const first = new Executor({ store, workflows: { trip }, middleware: [dieAfterHotel, tell] });
  const handle = await first.execute(trip, { id: "porto", input: ["flight", "hotel", "car"] });
  await handle.result().catch(() => {}); // it was closed

  await using second = new Executor({ store, workflows: { trip }, middleware: [tell] });
  const [recovered] = await second.recover();
  await recovered.result().catch((error: Error) => print(`The trip has failed: ${error.message}`));
  const { history } = (await store.load("porto"))!;
  const undone = history.flatMap((event) => event.type === "compensation_started" ? [event.name] : []);
  print(`In its history: ${undone.join(", ")}; still booked: ${[...booked].join(", ") || "nothing"}`);
}

if (import.meta.main) await story(console.log);
