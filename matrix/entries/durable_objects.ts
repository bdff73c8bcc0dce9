/**
 * The Durable Objects of the tests, as they run in workerd: the contract of the store, and workflows that a test drives.
 *
 * @module
 */

// @ts-ignore -- a module of workerd
import { DurableObject } from "cloudflare:workers";
import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
import { DurableObjectStore, type ObjectState, workflowObject } from "@rockpool/workflow/durable-object";
import { storeCases } from "@rockpool/workflow/testing/store";

// deno-lint-ignore no-explicit-any -- the types of the platform are not there when this module is checked
type Any = any;

const members = ["heads", "count", "loadSince", "deliver"] as const;
const tables = ["workflows", "events", "pieces", "meta"];

/** Runs one case of the contract, on the object's own database. */
export class Contract extends (DurableObject as new (...args: Any[]) => Any) {
  async run(index: number): Promise<{ name: string; error?: string } | null> {
    const { storage } = this.ctx as ObjectState;
    const again = () => new DurableObjectStore(storage);
    const make = () => {
      for (const table of tables) storage.sql.exec(`DROP TABLE IF EXISTS rockpool_${table}`);
      return again();
    };
    const all = storeCases({ members, reopen: again, timeoutMs: 30_000 });
    if (index >= all.length) return null;
    const { name, run } = all[index];
    try {
      await run(make);
      return { name };
    } catch (error) {
      return { name, error: (error as Error).stack ?? String(error) };
    }
  }

  /** Writes and reads values of any size, and measures written rows. */
  async large(size: number): Promise<boolean> {
    const store = new DurableObjectStore((this.ctx as ObjectState).storage);
    const value = "é😀x".repeat(size / 4);
    await store.save({ workflowId: `large ${size}`, status: "completed", input: value, result: value, history: [] });
    const state = await store.load(`large ${size}`);
    return state?.input === value && state.result === value;
  }
}

let skippedMs = 0;
let calls: string[] = [];
let failures = 0;
let loads = 0;

const slow = async (ms: number, { attempt, idempotencyKey }: ActivityContext) => {
  calls.push(`slow ${attempt} ${idempotencyKey.length > 0}`);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return "slow";
};
const flaky = () => {
  calls.push("flaky");
  if (failures > 0 && failures--) throw new Error("not yet");
  return "done";
};
const note = (text: string) => void calls.push(text);

async function steps(ctx: WorkflowContext): Promise<string> {
  const seen: string[] = [];
  seen.push(
    await ctx.executeActivity(function one() {
      note("one");
      return "one";
    }),
  );
  seen.push(await ctx.waitForSignal<string>("go") as string);
  seen.push(
    await ctx.executeActivity(function two() {
      note("two");
      return "two";
    }),
  );
  await ctx.sleep(300);
  return seen.join();
}
const day = async (ctx: WorkflowContext) => {
  await ctx.sleep(86_400_000);
  note("a day later");
  return "a day later";
};
const waits = (ctx: WorkflowContext) => {
  ctx.handleQuery("state", (word: string) => `waiting ${word}`);
  ctx.handleUpdate("add", (n: number) => n + 1, { validate: (n) => void (n > 0 || fail("above 0")) });
  return ctx.waitForSignal("go");
};
const fail = (message: string): never => {
  throw new RangeError(message);
};
const noted = (ctx: WorkflowContext) => {
  note("noted");
  return ctx.waitForSignal("go");
};
const interrupted = (ctx: WorkflowContext, ms: number) => ctx.executeActivity(slow, ms);
const retried = (ctx: WorkflowContext) =>
  ctx.executeActivity(flaky, undefined, { retry: { maxAttempts: 5, initialIntervalMs: 400 } });
const short = async (ctx: WorkflowContext) => {
  await ctx.sleep(1_200);
  return "awake";
};
const throwing = () => fail("thrown by its code");
const large = (_ctx: WorkflowContext, size: number) => "x".repeat(size);

/** Plays with an object of the same class. */
const game = (env: Any) => async (ctx: WorkflowContext, { other, rounds }: { other: string; rounds: number }) => {
  const tell = (round: number, { idempotencyKey }: ActivityContext) =>
    env.OBJECTS.get(env.OBJECTS.idFromName(other)).signal("game", "ball", round, { signalId: idempotencyKey });
  let last = 0;
  for await (const round of ctx.receiveSignal<number>("ball")) {
    last = round;
    if (last < rounds) await ctx.executeActivity(tell, last + 1, { retry: { maxAttempts: 20, initialIntervalMs: 50 } });
    if (last >= rounds - 1) return last;
  }
};

const Workflows: Any = workflowObject(DurableObject as Any, (env: Any) => ({
  workflows: {
    steps,
    day,
    waits,
    noted,
    interrupted,
    retried,
    short,
    throwing,
    large,
    game: game(env),
    ...(env.MISSING ? {} : { missing: waits }),
    ...(env.BROKEN && fail("thrown at load")),
    ...(env.FLAKY && loads++ === 0 && fail("thrown at the first load")),
  },
  resumeAfterMs: 500,
  now: () => Date.now() + skippedMs,
  onError: (error) => void calls.push(String(error)),
}));

/** An object that a test drives. */
export class Objects extends Workflows {
  /** Lets virtual time pass, and rings the alarm. */
  async skip(ms: number): Promise<void> {
    skippedMs += ms;
    await this.alarm();
  }
  fail(times: number): void {
    failures = times;
  }
  calls(): string[] {
    return calls;
  }
  forget(): void {
    calls = [];
  }
  /** When the alarm is due, from now on; `null` without one. */
  async alarmIn(): Promise<number | null> {
    const at = await this.ctx.storage.getAlarm();
    return at === null ? null : at + 0 - Date.now();
  }
  evict(): void {
    this.ctx.abort("evicted by a test");
  }
}

export default {
  async fetch(request: Request, env: Any): Promise<Response> {
    const url = new URL(request.url);
    const [, kind, name, ...path] = url.pathname.split("/");
    const namespace = kind === "contract" ? env.CONTRACT : env.OBJECTS;
    const stub = namespace.get(namespace.idFromName(name));
    if (kind === "http") return stub.fetch(new Request(`${url.origin}/${path.join("/")}`, request));
    const { method, args } = await request.json() as { method: string; args: unknown[] };
    try {
      return Response.json({ value: await stub[method](...args) ?? null });
    } catch (error) {
      return Response.json({ error: String(error) });
    }
  },
};
