/** A workflow for each member of the context, for `context.ts`. What each returns does not depend on where it runs. */

import { activity, type WorkflowContext } from "../../mod.ts";
import { restateServices } from "../../engines/restate.ts";
import type { Anything } from "./workers.ts";

const double = activity((n: number) => 2 * n, { name: "double" });
/** By request and response, nothing stops it: so it takes longer than a server that is slow to say that the time is over. */
const slow = activity((_: unknown, { signal }) =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve("slow"), 4000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve("aborted");
    });
  }), { name: "slow" });

const codeOf = async (call: () => unknown) => {
  try {
    return await call();
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string };
    return code === "unsupported" ? { refused: message } : { name, code };
  }
};

/** Each is started with the signals `go` (1, 2) and `other` (3). */
export const members = {
  workflowId: (ctx) => ctx.workflowId,
  runId: (ctx) => ctx.runId.length,
  labels: (ctx) => Object.keys(ctx.labels).length,
  headers: (ctx) => ctx.headers.tenant,
  parent: (ctx) => ctx.parent === undefined,
  startedAt: (ctx) => ctx.startedAt <= ctx.now(),
  async historyLength(ctx) {
    const before = ctx.historyLength;
    await ctx.sleep(1);
    return ctx.historyLength > before;
  },
  startEvents: (ctx) => ctx.startEvents > 0,
  isReplaying: (ctx) => ctx.isReplaying,
  workflowVersion: (ctx) => ctx.workflowVersion ?? "none",
  async signal(ctx) {
    await ctx.scope(async (ctx) => {
      ctx.cancel("enough");
      await codeOf(() => ctx.sleep(1));
      return ctx.signal.aborted;
    });
    return ctx.signal.aborted;
  },
  async log(ctx) {
    ctx.log.info("a line");
    await ctx.sleep(1);
    return "written";
  },
  async executeActivity(ctx) {
    const failing = activity((_: unknown, { attempt }) => {
      if (attempt < 3) throw new RangeError(`attempt ${attempt}`);
      return attempt;
    }, { name: "failing", retry: { maxAttempts: 3, initialIntervalMs: 1 } });
    return [await ctx.executeActivity(double, 2), await ctx.executeActivity(failing)];
  },
  "executeActivity with timeoutMs": (ctx) => codeOf(() => ctx.executeActivity(slow, 1, { timeoutMs: 20 })),
  "executeActivity with totalTimeoutMs": (ctx) => codeOf(() => ctx.executeActivity(slow, 1, { totalTimeoutMs: 20 })),
  "executeActivity with atMostOnce": (ctx) => codeOf(() => ctx.executeActivity(double, 2, { atMostOnce: true })),
  "executeActivity with heartbeatTimeoutMs": (ctx) =>
    codeOf(() => ctx.executeActivity(double, 2, { heartbeatTimeoutMs: 1000 })),
  "ActivityContext.heartbeat": (ctx) =>
    codeOf(() =>
      ctx.executeActivity(function work(_: unknown, activity) {
        activity.heartbeat();
      })
    ),
  async receiveSignal(ctx) {
    const got: number[] = [];
    for await (const n of ctx.receiveSignal<number>("go")) if (got.push(n) === 2) break;
    return got;
  },
  async sleep(ctx) {
    const before = ctx.now();
    await ctx.sleep(30);
    return ctx.now() >= before + 30;
  },
  async now(ctx) {
    const before = ctx.now();
    await ctx.executeActivity(double, 1);
    return ctx.now() >= before;
  },
  random: (ctx) => ctx.random() < 1,
  uuid: (ctx) => ctx.uuid().length,
  async scope(ctx) {
    return await codeOf(() => ctx.scope((ctx) => Promise.race([ctx.sleep(60_000), ctx.executeActivity(double, 3)])));
  },
  async shield(ctx) {
    const outcome = await ctx.scope(async (ctx) => {
      ctx.cancel("no");
      return await ctx.shield((ctx) => ctx.executeActivity(double, 4));
    });
    return outcome;
  },
  async spawn(ctx) {
    let ticks = 0;
    ctx.spawn(async (ctx) => {
      for (;; ticks++) await ctx.sleep(5);
    });
    await ctx.waitUntil(() => ticks === 2);
    return ticks;
  },
  async handleSignal(ctx) {
    const got: number[] = [];
    ctx.handleSignal<number>("go", (n) => void got.push(n));
    await ctx.waitUntil(() => got.length === 2);
    return got;
  },
  async handleOtherSignals(ctx) {
    const got: string[] = [];
    ctx.handleSignal("go", () => {});
    ctx.handleOtherSignals(({ name }) => void got.push(name));
    await ctx.waitUntil(() => got.length === 1);
    return got;
  },
  async waitForSignal(ctx) {
    const first = await ctx.waitForSignal<number>("go");
    return [first, await codeOf(() => ctx.waitForSignal("nobody", { timeoutMs: 10 }))];
  },
  async takeSignal(ctx) {
    await ctx.waitForSignal("other");
    return ctx.takeSignal<number>("go")?.payload;
  },
  async handleQuery(ctx) {
    ctx.handleQuery("state", () => "answered");
    await ctx.waitForSignal("queried");
    return "done";
  },
  async handleUpdate(ctx) {
    let sum = 0;
    ctx.handleUpdate("add", async (n: number) => {
      await ctx.sleep(1);
      return sum += n;
    });
    await ctx.waitUntil(() => sum > 0);
    return sum;
  },
  async waitUntil(ctx) {
    return await codeOf(() => ctx.waitUntil(() => false, { timeoutMs: 10 }));
  },
  async sideEffect(ctx) {
    let calls = 0;
    const first = await ctx.sideEffect(() => ++calls);
    await ctx.sleep(1);
    return first;
  },
  async addCompensation(ctx) {
    return await codeOf(() =>
      ctx.scope(async (ctx) => {
        ctx.addCompensation(async function undo(ctx) {
          await ctx.executeActivity(double, 5);
        });
        await ctx.executeActivity(double, 1);
        throw new RangeError("fails");
      })
    );
  },
  async mapConcurrent(ctx) {
    return await ctx.mapConcurrent([1, 2, 3, 4, 5], 2, (n) => ctx.executeActivity(double, n));
  },
  async executeChild(ctx) {
    return await ctx.executeChild(children.named, "a", { id: `${ctx.workflowId} child` });
  },
  async startChild(ctx) {
    const child = ctx.startChild(children.waits, undefined, { id: `${ctx.workflowId} child` });
    await child.started;
    await child.signal("go", 7);
    const canceled = ctx.startChild(children.waits, undefined, { id: `${ctx.workflowId} other` });
    await canceled.started;
    await canceled.cancel("enough");
    return [await child.result(), await codeOf(() => canceled.result())];
  },
  async signalWorkflow(ctx) {
    const child = ctx.startChild(children.waits, undefined, { id: `${ctx.workflowId} child` });
    await ctx.signalWorkflow(child.id, "go", 8);
    return [await child.result(), await codeOf(() => ctx.signalWorkflow("nobody", "go"))];
  },
  async cancelWorkflow(ctx) {
    const child = ctx.startChild(children.waits, undefined, { id: `${ctx.workflowId} child` });
    await child.started;
    await ctx.cancelWorkflow(child.id, "enough");
    return [await codeOf(() => child.result()), await codeOf(() => ctx.cancelWorkflow("nobody"))];
  },
  async continueAsNew(ctx, n = 0) {
    if (n < 2) await (ctx as unknown as WorkflowContext<number>).continueAsNew(n + 1);
    return [n, await ctx.waitForSignal("go")];
  },
  setLabels: (ctx) => codeOf(() => ctx.setLabels({ stage: "paid" })),
  patched: (ctx) => codeOf(() => ctx.patched("a-change")),
} satisfies Record<keyof WorkflowContext, Member> & Record<string, Member>;

type Member = (ctx: WorkflowContext, n?: number) => unknown;

const children = {
  named: (_ctx: WorkflowContext, name: string) => `child ${name}`,
  waits: (ctx: WorkflowContext) => ctx.waitForSignal<number>("go"),
};

/** All workflows, by names that are allowed in a history. */
export const workflows: Record<string, (ctx: Anything, input: Anything) => unknown> = { ...members, ...children };

export function services(sdk: Anything): Anything[] {
  return restateServices(sdk, { workflows });
}
