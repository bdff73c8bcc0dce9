/**
 * A process of an application: a store that processes share, an executor, and workflows. Whoever starts it controls it through
 * lines of JSON: calls come in on standard input; answers, and a log of what has happened, leave on standard output. A line of the
 * log is written in one piece when it happens, so it survives `kill -9`.
 *
 * The only argument is a {@linkcode ProcessOptions} in JSON. See `processes.ts` for the other side.
 *
 * @module
 */

import {
  type ActivityContext,
  type ExecuteOptions,
  Executor,
  type SignalOptions,
  type UpdateOptions,
  type Workflow,
  type WorkflowContext,
  type WorkflowStore,
} from "@rockpool/workflow";
import type { LogLine, ProcessOptions, StoreModule } from "./processes.ts";

const { name, store: opening, leaseMs, work, workflows: known, version } = JSON.parse(Deno.args[0]) as ProcessOptions;

function print(line: unknown): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

function log(what: LogLine["log"], fields: Omit<LogLine, "log" | "at" | "process"> = {}): void {
  print({ log: what, process: name, at: performance.timeOrigin + performance.now(), ...fields });
}

const { openStore } = await import(opening.module) as StoreModule;
const opened = await openStore(opening.arg, leaseMs);

/** The file whose existence ends the next stand-still; see `stall`. */
let stalledUntil: string | undefined;
let isClosing = false;

/** Stands still until the file exists: nothing else of the process runs meanwhile. */
function stall(file: string): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return void Deno.statSync(file);
    } catch {
      Atomics.wait(never, 0, 0, 10);
    }
  }
}

/** Tells what the store has answered to the writes of the executor. */
const told = new Proxy(opened, {
  get(store, key: keyof WorkflowStore) {
    const method = store[key as "append"];
    if (typeof method !== "function") return method;
    if (key === "claim" && stalledUntil !== undefined) {
      stall(stalledUntil);
      stalledUntil = undefined;
    }
    if (key === "release") {
      return (owner: string, ids?: readonly string[]) => {
        // The lease had ended unseen, and a claim of its own began it again: no append was refused.
        if (ids === undefined && !isClosing) log("refused");
        return opened.release!(owner, ids);
      };
    }
    if (key !== "append" && key !== "renew") return method.bind(store);
    return async (...args: Parameters<WorkflowStore["append"]>) => {
      const [{ workflowId: id, expectedLength, events }] = key === "append" ? args : [{}] as unknown as typeof args;
      try {
        await method.apply(store, args);
        if (events !== undefined && events.length > 0) log("stored", { id, length: expectedLength + events.length });
      } catch (error) {
        if ((error as { code?: string }).code === "lease_lost") log("refused", { id });
        throw error;
      }
    };
  },
});

/** Activities that wait until the process is told to let them end. */
const gates: (() => void)[] = [];
let tokens = 0;

/** An activity. Its result is unique, so a history tells which attempt in which process it is of. */
function ran(ctx: WorkflowContext, step: unknown) {
  return (_: null, { fence }: ActivityContext) => {
    const token = `${name}:${tokens++}`;
    log("ran", { id: ctx.workflowId, runId: ctx.runId, step: `${step}`, token, fence });
    return token;
  };
}

const workflows = {
  /** Some activities, then signals until one says "end". */
  async steps(ctx: WorkflowContext<{ count: number }>, { count }: { count: number }) {
    const steps: string[] = [];
    const notes: string[] = [];
    for (let step = 0; step < count; step++) steps.push(await ctx.executeActivity(ran(ctx, step), null));
    if (version !== "1" && ctx.patched("also-check")) steps.push(await ctx.executeActivity(ran(ctx, "check"), null));
    for (;;) {
      const payload = await ctx.waitForSignal<string>("note");
      if (payload === "end") return { steps, notes };
      notes.push(payload);
      steps.push(await ctx.executeActivity(ran(ctx, payload), null));
    }
  },
  async asleep(ctx: WorkflowContext<number>, ms: number) {
    const before = await ctx.executeActivity(ran(ctx, "before"), null);
    await ctx.sleep(ms);
    return [before, await ctx.executeActivity(ran(ctx, "after"), null)];
  },
  /** An activity that ends when its process is told so. */
  async held(ctx: WorkflowContext) {
    const first = await ctx.executeActivity(ran(ctx, "first"), null);
    const second = await ctx.executeActivity(async function held(_: null, context: ActivityContext) {
      const token = ran(ctx, "held")(null, context);
      await new Promise<void>((resolve) => gates.push(resolve));
      return token;
    }, null);
    return [first, second];
  },
  async counter(ctx: WorkflowContext) {
    let total = 0;
    ctx.handleQuery("total", () => total);
    ctx.handleUpdate("add", async (n: number) => {
      await ctx.executeActivity(ran(ctx, `add ${n}`), null);
      return total += n;
    }, {
      validate: (n) => {
        if (!(n > 0)) throw new RangeError("Cannot add: want a positive number");
      },
    });
    await ctx.waitForSignal("end");
    return total;
  },
  /** Continues as new until none are left, or a signal says "end". */
  async chain(
    ctx: WorkflowContext<{ left: number; steps: string[] }>,
    { left, steps }: { left: number; steps: string[] },
  ) {
    const step = await ctx.executeActivity(ran(ctx, left), null);
    await ctx.sleep(30);
    if (left === 0 || ctx.takeSignal("end") !== undefined) return [...steps, step];
    return await ctx.continueAsNew({ left: left - 1, steps: [...steps, step] });
  },
  async parent(ctx: WorkflowContext<number>, children: number) {
    const handles = Array.from(
      { length: children },
      (_, i) => ctx.startChild(workflows.steps, { count: 1 }, { id: `${ctx.workflowId}/${i}` }),
    );
    return await Promise.all(handles.map((child) => child.result()));
  },
  async endless(ctx: WorkflowContext) {
    try {
      await ctx.waitForSignal("never");
    } finally {
      await ctx.shield((shielded) => shielded.executeActivity(ran(ctx, "cleanup"), null));
    }
  },
};

const ended = (how: string) => (_: unknown, { workflowId: id, runId }: { workflowId: string; runId: string }) =>
  log("ended", { id, runId, step: how });
const executor = new Executor({
  store: told,
  workflows: known === "none" ? {} : workflows,
  workflowVersion: version,
  hooks: {
    workflowCompleted: ended("completed"),
    workflowFailed: ended("failed"),
    workflowCanceled: ended("canceled"),
  },
  onError: (error) => log("error", { step: String(error) }),
});

type WorkflowName = keyof typeof workflows;
const handle = (id: string) => executor.handle(id);

/** What can be called. */
const calls = {
  start: async (workflow: WorkflowName, id: string, input?: unknown, options?: ExecuteOptions) => {
    const { runId } = await executor.execute(
      workflows[workflow] as Workflow,
      { ...options, id, input } as ExecuteOptions,
    );
    return runId;
  },
  signal: (id: string, signal: string, payload?: unknown, options?: SignalOptions) =>
    executor.signal(id, signal, payload, options),
  update: (id: string, update: string, input: unknown, options?: UpdateOptions) =>
    executor.update(id, update, input, options),
  query: (id: string, query: string) => executor.query(id, query),
  cancel: (id: string, reason?: string) => executor.cancel(id, reason),
  describe: (id: string) => executor.describe(id),
  result: async (id: string) => await (await handle(id)).result(),
  live: () => Promise.resolve(executor.openRuns().map(({ workflowId }) => workflowId)),
  recover: async () => (await executor.recover()).map(({ id }) => id),
  /** Lets the activities end that wait for it. */
  open: () => Promise.resolve(gates.splice(0).forEach((open) => open())),
  /** Lets the process stand still before its next claim, until a file exists. */
  stall: (file: string) => Promise.resolve(void (stalledUntil = file)),
  /** Writes to the store. */
  touch: () => opened.save({ workflowId: `touched by ${name}`, status: "completed" }),
  async close(drainMs: number) {
    isClosing = true;
    await executor.close({ drainMs });
    await working;
    await opened[Symbol.asyncDispose]();
  },
};

const working = work === undefined ? undefined : executor.work(work);
log("ready");

async function answer(text: string): Promise<void> {
  const { n, call, args } = JSON.parse(text);
  try {
    const value = await calls[call as "cancel"](...args as [string]);
    print({ n, value });
    if (call === "close") Deno.exit();
  } catch (error) {
    const { name, message, code } = error as { name?: string; message?: string; code?: string };
    print({ n, error: { name, message, code } });
  }
}

let rest = "";
for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + part).split("\n");
  rest = lines.pop()!;
  for (const line of lines) void answer(line);
}
Deno.exit(1); // whoever controls it is gone
