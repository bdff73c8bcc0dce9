/** The workflows of the engine's tests, as services. */

import { activity, type WorkflowContext } from "../../mod.ts";
import { restateServices } from "../../engines/restate.ts";
import { type Anything, append } from "./workers.ts";

let path = "";
const note = activity((line: string) => append(path, line), { name: "note" });

/** Fails until a file has a line, then succeeds. */
const flaky = activity((id: string, { attempt }) => {
  append(path, `${id} try ${attempt}`);
  if (attempt < 3) throw new TypeError(`no ${attempt}`);
  return new Map([["tries", attempt]]);
}, { name: "flaky", retry: { maxAttempts: 5, initialIntervalMs: 20 } });
const waits = activity((id: string, { signal }) =>
  new Promise((_, reject) => {
    append(path, `${id} waits`);
    signal.addEventListener("abort", () => reject(signal.reason));
  }), { name: "waits" });

class Refused extends Error {
  override name = "Refused";
  code = 7;
}

export const workflows = {
  async child(ctx: WorkflowContext, ms: number) {
    try {
      await ctx.sleep(ms);
    } catch (error) {
      await ctx.shield((ctx) => ctx.executeActivity(note, `${ctx.workflowId} cancelled`));
      throw error;
    }
    return ctx.parent?.workflowId ?? "no parent";
  },
  async parent(ctx: WorkflowContext, mode: string) {
    if (mode === "result") return await ctx.executeChild(workflows.child, 5, { id: `${ctx.workflowId}-child` });
    const child = ctx.startChild(workflows.child, 60_000, { id: `${ctx.workflowId}-child` });
    await child.started;
    if (mode === "leave") return "left";
    if (mode === "signal") {
      const other = ctx.startChild(workflows.approval, undefined, { id: `${ctx.workflowId}-other` });
      await other.signal("approve", "bob");
      await child.cancel("enough");
      const ended = await child.result().catch((error: Error) => error.name);
      return [await other.result(), ended];
    }
    return await ctx.scope(async (ctx) => {
      const inner = ctx.startChild(workflows.child, 60_000, { id: `${ctx.workflowId}-inner` });
      await inner.started;
      ctx.cancel("no");
      return await inner.result().catch((error: Error) => error.name);
    }, { waitForCanceled: true });
  },
  async retries(ctx: WorkflowContext) {
    const answer = await ctx.executeActivity(flaky, ctx.workflowId);
    return answer.get("tries");
  },
  async fails(ctx: WorkflowContext) {
    await ctx.executeActivity(function refuse() {
      throw new Refused("not today", { cause: new RangeError("why") });
    });
  },
  async saga(ctx: WorkflowContext) {
    ctx.addCompensation(function undoA(ctx) {
      return ctx.executeActivity(note, `${ctx.workflowId} undo a`);
    });
    ctx.addCompensation(() => ctx.executeActivity(note, `${ctx.workflowId} undo b`));
    await ctx.executeActivity(note, `${ctx.workflowId} do`);
    await ctx.executeActivity(waits, ctx.workflowId, { timeoutMs: 50 });
  },
  async counter(ctx: WorkflowContext<number>, n: number): Promise<string> {
    const got: string[] = [];
    while (true) {
      const next = ctx.takeSignal<string>("line");
      if (next === undefined) break;
      got.push(next.payload);
    }
    if (n < 3) {
      await ctx.executeActivity(note, `${ctx.workflowId} run ${n}`);
      await ctx.continueAsNew(n + 1);
    }
    return await ctx.waitForSignal<string>("line");
  },
  async random(ctx: WorkflowContext) {
    const side = await ctx.sideEffect(() => crypto.randomUUID());
    const first = [ctx.random(), ctx.uuid(), ctx.now(), side];
    await ctx.sleep(20);
    const second = await ctx.executeActivity(() => 1);
    return [...first, second, ctx.now() >= (first[2] as number) + 20];
  },
  async races(ctx: WorkflowContext, n: number) {
    const order: number[] = [];
    await Promise.all(Array.from({ length: n }, async (_, i) => {
      await ctx.executeActivity(() => new Promise((done) => setTimeout(done, Math.random() * 20)), undefined, {
        name: `a${i}`,
      });
      order.push(i);
    }));
    await ctx.sleep(10);
    const kept = await ctx.executeActivity((order: readonly number[]) => order, order);
    return JSON.stringify(kept) === JSON.stringify(order);
  },
  async refuses(ctx: WorkflowContext) {
    const codes: unknown[] = [];
    const tries: (() => unknown)[] = [
      () => ctx.patched("x"),
      () => ctx.executeActivity(note, "x", { atMostOnce: true }),
      () => ctx.executeActivity(note, "x", { heartbeatTimeoutMs: 5 }),
      () => ctx.executeActivity((_: unknown, activity) => activity.heartbeat()),
    ];
    for (const one of tries) {
      try {
        await one();
        codes.push("worked");
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
    }
    return codes;
  },
  async steps(ctx: WorkflowContext, input: { readonly count: number }) {
    const lines: string[] = [];
    for (let i = 0; i < input.count; i++) {
      await ctx.executeActivity(note, `${ctx.workflowId} ${i}`);
      lines.push(`${i}`);
    }
    return lines;
  },
  async naps(ctx: WorkflowContext, ms: number) {
    await ctx.executeActivity(note, `${ctx.workflowId} before`);
    await ctx.sleep(ms);
    await ctx.executeActivity(note, `${ctx.workflowId} after`);
    return "rested";
  },
  async approval(ctx: WorkflowContext) {
    let state = "waits";
    ctx.handleQuery("state", () => state);
    ctx.handleUpdate("add", (n: number) => (state += `+${n}`));
    const who = await ctx.waitForSignal<string>("approve");
    state = "approved";
    return who;
  },
};

export function services(sdk: Anything, arg: string): Anything[] {
  path = arg;
  return restateServices(sdk, { workflows });
}
