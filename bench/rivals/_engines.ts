// Every engine is async, also if it need not be:
// deno-lint-ignore-file require-await

/**
 * Which engines are compared, and how is each used? Ours, those of npm that run inside one process, and a bare loop.
 *
 * All run one workflow: a number of activities in a row, then, optionally, one signal. Its result is the sum of the results and
 * of the signal. Each engine is used as its documentation says for a single process without a server.
 *
 * @module
 */

import {
  InMemoryOrchestrationBackend,
  type OrchestrationContext,
  TestOrchestrationClient,
  TestOrchestrationWorker,
} from "@microsoft/durabletask-js";
import { type Context as ResonateContext, LocalNetwork, Resonate } from "@resonatehq/sdk";
import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
import { Effect, Layer, ManagedRuntime, Schema } from "effect";
import { Activity, DurableDeferred, Workflow, WorkflowEngine } from "effect/workflow";
import { setImmediate, setTimeout } from "node:timers/promises";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";
import { assign, createActor, fromPromise, setup, toPromise } from "xstate";

/** The common interface. */
export interface Engine {
  /** Runs a workflow to its end. Returns its result. */
  run(id: string, activities: number): Promise<number>;
  /** Starts a workflow that waits for a signal after its activities. May resolve before the wait begins. */
  startWaiting(id: string, activities: number): Promise<unknown>;
  /** Sends a waiting workflow its signal. */
  signal(id: string, payload: number): Promise<unknown>;
  /** The result of a workflow that was sent its signal. */
  result(id: string): Promise<number>;
  /** Stops the engine and starts another one on the same store; absent if that is impossible. */
  restart?(): Promise<unknown>;
  /** The number of stored activity results of a workflow; absent if none are stored or they cannot be read. */
  stored?(id: string): Promise<number>;
  /** The used bytes outside of the heap. */
  outside?(): number;
  close(): unknown;
}

/** An engine of the bench. */
export interface Entry {
  readonly name: string;
  readonly role?: "floor" | "ours";
  readonly open: () => Engine;
}

/** Counts activities that ran, and workflows that reached their wait, replays included. */
export const seen = { activities: 0, waits: 0 };

async function activity(n: number): Promise<number> {
  seen.activities++;
  return n;
}

type Input = { readonly id: string; readonly activities: number; readonly waits: boolean };

type BareEvent =
  | { readonly type: "started"; readonly input: Input }
  | { readonly type: "scheduled"; readonly seq: number }
  | { readonly type: "completed"; readonly seq: number; readonly result: number }
  | { readonly type: "signaled"; readonly payload: number }
  | { readonly type: "ended"; readonly result: number };

/** A run that appends each event to its history and applies it: no check, no copy, no macrotask, no store. */
class BareRun {
  readonly ended: Promise<number>;
  #seq = 0;
  readonly #results: (number | undefined)[] = [];
  readonly #waiting: ((result: number) => void)[] = [];
  #payload: number | undefined;
  #onSignal: ((payload: number) => void) | undefined;

  constructor(readonly history: BareEvent[]) {
    const { input } = history[0] as { readonly input: Input };
    for (const event of history) this.#apply(event);
    this.ended = this.#workflow(input);
  }

  append(event: BareEvent): void {
    this.history.push(event);
    this.#apply(event);
  }

  #apply(event: BareEvent): void {
    if (event.type === "completed") {
      const resolve = this.#waiting[event.seq];
      if (resolve) resolve(event.result);
      else this.#results[event.seq] = event.result; // a replay
    } else if (event.type === "signaled") {
      this.#payload = event.payload;
      this.#onSignal?.(event.payload);
    }
  }

  #activity(input: number): Promise<number> {
    const seq = this.#seq++;
    const result = this.#results[seq];
    if (result !== undefined) return Promise.resolve(result);
    this.append({ type: "scheduled", seq });
    activity(input).then((result) => this.append({ type: "completed", seq, result }));
    return new Promise((resolve) => this.#waiting[seq] = resolve);
  }

  #signal(): Promise<number> {
    if (this.#payload !== undefined) return Promise.resolve(this.#payload);
    return new Promise((resolve) => this.#onSignal = resolve);
  }

  async #workflow({ activities, waits }: Input): Promise<number> {
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += await this.#activity(i);
    if (waits) {
      seen.waits++;
      sum += await this.#signal();
    }
    this.append({ type: "ended", result: sum });
    return sum;
  }
}

function bareLoop(): Engine {
  const histories = new Map<string, BareEvent[]>();
  const runs = new Map<string, BareRun>();
  const start = (input: Input) => {
    const history: BareEvent[] = [{ type: "started", input }];
    histories.set(input.id, history);
    const run = new BareRun(history);
    runs.set(input.id, run);
    return run;
  };
  return {
    run: (id, activities) => start({ id, activities, waits: false }).ended,
    startWaiting: async (id, activities) => void start({ id, activities, waits: true }),
    signal: async (id, payload) => runs.get(id)!.append({ type: "signaled", payload }),
    result: (id) => runs.get(id)!.ended,
    async restart() {
      runs.clear();
      for (const [id, history] of histories) {
        if (history.at(-1)!.type !== "ended") runs.set(id, new BareRun(history));
      }
    },
    stored: async (id) => histories.get(id)!.filter(({ type }) => type === "completed").length,
    close() {},
  };
}

function ours(): Engine {
  async function workflow(ctx: WorkflowContext, { activities, waits }: Input) {
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += await ctx.executeActivity(activity, i);
    if (!waits) return sum;
    seen.waits++;
    for await (const payload of ctx.receiveSignal<number>("go")) return sum + payload;
    throw new Error("No signal came");
  }
  const store = new InMemoryStore();
  let executor = new Executor({ store });
  return {
    async run(id, activities) {
      const handle = await executor.execute(workflow, { id, input: { id, activities, waits: false } });
      return await handle.result();
    },
    startWaiting: (id, activities) => executor.execute(workflow, { id, input: { id, activities, waits: true } }),
    signal: (id, payload) => executor.signal(id, "go", payload),
    result: async (id) => (await executor.handle<number>(id)).result(),
    async restart() {
      await executor.close();
      executor = new Executor({ store, workflows: { workflow } });
      await executor.recover();
    },
    stored: async (id) =>
      (await executor.describe(id, { history: true })).history.filter(({ type }) => type === "activity_completed")
        .length,
    close: () => executor.close(),
  };
}

/** Its in-memory backend for tests. There is no way to turn its log off: the bench mutes `console`. */
function durableTask(): Engine {
  async function* workflow(ctx: OrchestrationContext, { activities, waits }: Input): AsyncGenerator<unknown, number> {
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += (yield ctx.callActivity(step, i)) as number;
    if (!waits) return sum;
    seen.waits++;
    return sum + ((yield ctx.waitForExternalEvent("go")) as number);
  }
  const step = (_: unknown, n: number) => activity(n);
  const backend = new InMemoryOrchestrationBackend(1_000_000);
  const client = new TestOrchestrationClient(backend);
  const startWorker = () => {
    const worker = new TestOrchestrationWorker(backend);
    worker.addOrchestrator(workflow as never);
    worker.addActivity(step as never);
    worker.start();
    return worker;
  };
  let worker = startWorker();
  const start = (input: Input) => client.scheduleNewOrchestration(workflow as never, input, input.id);
  const result = async (id: string) => {
    const state = await client.waitForOrchestrationCompletion(id, true, 0);
    return JSON.parse(state!.serializedOutput!) as number;
  };
  return {
    async run(id, activities) {
      await start({ id, activities, waits: false });
      return await result(id);
    },
    startWaiting: (id, activities) => start({ id, activities, waits: true }),
    signal: (id, payload) => client.raiseOrchestrationEvent(id, "go", payload),
    result,
    async restart() {
      await worker.stop();
      worker = startWorker();
    },
    stored: async (id) => backend.getInstance(id)!.history.filter((event) => event.hasTaskcompleted()).length,
    close: () => worker.stop(),
  };
}

/** Local mode. */
function resonate(): Engine {
  function* workflow(ctx: ResonateContext, { activities, waits }: Input) {
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += yield* ctx.run(step, i);
    if (!waits) return sum;
    seen.waits++;
    const future = yield* ctx.promise<number>();
    return sum + (yield* future);
  }
  let signalPlace = 0; // all waiting workflows have the same number of activities
  const step = (_: ResonateContext, n: number) => activity(n);
  const network = new LocalNetwork();
  const connect = () => {
    const resonate = new Resonate({ network });
    resonate.register("workflow", workflow as never);
    return resonate;
  };
  let client = connect();
  const isResolved = (id: string) => client.promises.get(id).then(({ state }) => state === "resolved", () => false);
  return {
    run: (id, activities) => client.run<number>(id, "workflow", { id, activities, waits: false }),
    startWaiting(id, activities) {
      signalPlace = activities;
      return client.beginRun<number>(id, "workflow", { id, activities, waits: true });
    },
    signal: (id, payload) => client.promises.resolve(`${id}:${signalPlace}`, { data: btoa(JSON.stringify(payload)) }),
    result: async (id) => (await client.get<number>(id)).result(),
    async restart() {
      await client.stop();
      client = connect();
    },
    async stored(id) {
      let count = 0;
      while (await isResolved(`${id}:${count}`)) count++;
      return count;
    },
    close: () => client.stop(),
  };
}

/**
 * SQLite in memory. A started worker polls for work every 50 to 1,000 ms, and a handle polls for its result every second.
 * Therefore the worker is ticked instead, until nothing is left to do.
 */
function openWorkflow(): Engine {
  const backend = BackendSqlite.connect(":memory:");
  const client = new OpenWorkflow({ backend });
  const workflow = client.defineWorkflow<Input, number>({ name: "workflow" }, async ({ input, step }) => {
    const { id, activities, waits } = input;
    let sum = 0;
    for (let i = 0; i < activities; i++) sum += await step.run({ name: `activity-${i}` }, () => activity(i));
    if (!waits) return sum;
    seen.waits++;
    const signal = await step.waitForSignal<number>({ signal: `go:${id}` });
    return sum + signal!.data;
  });
  let worker = client.newWorker();
  let draining: Promise<void> | undefined;
  const drain = () =>
    draining ??= (async () => {
      await null;
      while (await worker.tick() > 0) await setImmediate();
      draining = undefined;
    })();
  const runIds = new Map<string, string>();
  return {
    async run(id, activities) {
      const handle = await workflow.run({ id, activities, waits: false });
      runIds.set(id, handle.workflowRun.id);
      await drain();
      return await handle.result();
    },
    async startWaiting(id, activities) {
      const handle = await workflow.run({ id, activities, waits: true });
      runIds.set(id, handle.workflowRun.id);
      await drain();
    },
    signal: (id, payload) => client.sendSignal({ signal: `go:${id}`, data: payload }),
    async result(id) {
      await drain();
      const run = await backend.getWorkflowRun({ workflowRunId: runIds.get(id)! });
      return run!.output as number;
    },
    async restart() {
      worker = client.newWorker();
    },
    stored: async (id) => {
      const { data } = await backend.listStepAttempts({ workflowRunId: runIds.get(id)!, limit: 1_000 });
      return data.filter(({ kind, status }) => kind === "function" && status === "completed").length;
    },
    outside() { // the pages of SQLite; there is no public API for them
      const { db } = backend as unknown as { db: { prepare(sql: string): { get(): Record<string, number> } } };
      return db.prepare("PRAGMA page_count").get().page_count * db.prepare("PRAGMA page_size").get().page_size;
    },
    close: () => backend.stop(),
  };
}

const EffectWorkflow = Workflow.make("workflow", {
  payload: { id: Schema.String, activities: Schema.Number, waits: Schema.Boolean },
  success: Schema.Number,
  idempotencyKey: ({ id }) => id,
});
const Go = DurableDeferred.make("go", { success: Schema.Number });
const effectWorkflow = EffectWorkflow.toLayer(Effect.fnUntraced(function* ({ activities, waits }) {
  let sum = 0;
  for (let i = 0; i < activities; i++) {
    sum += yield* Activity.make({
      name: `activity-${i}`,
      success: Schema.Number,
      execute: Effect.promise(() => activity(i)),
    });
  }
  if (!waits) return sum;
  seen.waits++;
  return sum + (yield* DurableDeferred.await(Go));
}));

/** Its engine for tests and local development. */
function effect(): Engine {
  const runtime = ManagedRuntime.make(effectWorkflow.pipe(Layer.provideMerge(WorkflowEngine.layerMemory)));
  const keyOf = (id: string) => ({ id, activities: 0, waits: true }); // only the ID matters
  return {
    run: (id, activities) => runtime.runPromise(EffectWorkflow.execute({ id, activities, waits: false })),
    startWaiting: (id, activities) =>
      runtime.runPromise(EffectWorkflow.execute({ id, activities, waits: true }, { discard: true })),
    signal: (id, value) =>
      runtime.runPromise(Effect.flatMap(
        DurableDeferred.tokenFromPayload(Go, { workflow: EffectWorkflow, payload: keyOf(id) }),
        (token) => DurableDeferred.succeed(Go, { token, value }),
      )),
    result: (id) => runtime.runPromise(EffectWorkflow.execute(keyOf(id))),
    close: () => runtime.dispose(),
  };
}

const machine = setup({
  types: {
    context: {} as { left: number; done: number; waits: boolean; sum: number },
    input: {} as Input,
    output: {} as number,
    events: {} as { type: "go"; payload: number },
  },
  actors: { activity: fromPromise(({ input }: { input: number }) => activity(input)) },
}).createMachine({
  context: ({ input: { activities, waits } }) => ({ left: activities, done: 0, waits, sum: 0 }),
  initial: "next",
  states: {
    next: {
      always: [
        { guard: ({ context }) => context.left > 0, target: "working" },
        { guard: ({ context }) => context.waits, target: "waiting" },
        { target: "ended" },
      ],
    },
    working: {
      invoke: {
        src: "activity",
        input: ({ context }) => context.done,
        onDone: {
          target: "next",
          actions: assign(({ context, event }) => ({
            left: context.left - 1,
            done: context.done + 1,
            sum: context.sum + event.output,
          })),
        },
      },
    },
    waiting: {
      entry: () => seen.waits++,
      on: {
        go: { target: "ended", actions: assign(({ context, event }) => ({ sum: context.sum + event.payload })) },
      },
    },
    ended: { type: "final" },
  },
  output: ({ context }) => context.sum,
});

/** Actors of one state machine. Nothing is stored. */
function xstate(): Engine {
  const actors = new Map<string, ReturnType<typeof start>>();
  const start = (input: Input) => createActor(machine, { id: input.id, input }).start();
  return {
    run: (id, activities) => toPromise(start({ id, activities, waits: false })),
    startWaiting: async (id, activities) => void actors.set(id, start({ id, activities, waits: true })),
    signal: async (id, payload) => actors.get(id)!.send({ type: "go", payload }),
    result: (id) => toPromise(actors.get(id)!),
    close() {},
  };
}

export const entries: readonly Entry[] = [
  { name: "bare loop", role: "floor", open: bareLoop },
  { name: "Executor", role: "ours", open: ours },
  { name: "Effect", open: effect },
  { name: "durabletask-js", open: durableTask },
  { name: "Resonate", open: resonate },
  { name: "OpenWorkflow", open: openWorkflow },
  { name: "XState", open: xstate },
];

/** Resolves when that many workflows wait for their signal and nothing is in flight. */
export async function waiting(count: number): Promise<void> {
  while (seen.waits < count) await setImmediate();
  await setTimeout(20);
}

/** Checks that an engine computes the right result, runs each activity once, and stores the results. */
export async function check({ name, open }: Entry): Promise<void> {
  const same = (what: string, actual: unknown, expected: unknown) => {
    if (actual !== expected) throw new Error(`Cannot compare ${name}: ${what} is ${actual}, want ${expected}`);
  };
  const engine = open();
  seen.activities = seen.waits = 0;
  same("the result", await engine.run("a", 4), 6);
  same("how often an activity ran", seen.activities, 4);
  if (engine.stored) same("the number of stored results", await engine.stored("a"), 4);

  await engine.startWaiting("b", 3);
  await waiting(1);
  await engine.signal("b", 7);
  same("the result after a signal", await engine.result("b"), 10);
  same("how often an activity ran", seen.activities, 7);

  seen.waits = 0;
  await engine.startWaiting("c", 3);
  await waiting(1);
  await engine.restart?.();
  await engine.signal("c", 7);
  same("the result after a restart", await engine.result("c"), 10);
  same("how often an activity ran", seen.activities, 10);
  await engine.close();
}
