/**
 * Every function that callers give to the library, and what calls it.
 *
 * @module
 */

import {
  activity,
  type Clock,
  defineUpdate,
  Executor,
  type ExecutorOptions,
  type Hooks,
  InMemoryStore,
  RWLock,
  VirtualClock,
  type WorkflowContext,
  type WorkflowStore,
} from "@rockpool/workflow";
import { type DenoKv, type DenoKvAtomic, type DenoKvKey, DenoKvStore } from "@rockpool/workflow/deno-kv";
import { type PostgresClient, PostgresStore } from "@rockpool/workflow/postgres";
import { applyMiddleware } from "@rockpool/workflow/middleware";
import { main } from "@rockpool/workflow/cli";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { otel } from "@rockpool/workflow/otel";
import { schedule } from "@rockpool/workflow/schedule";
import { RestateClient, type RestateSdk, restateServices } from "@rockpool/workflow/restate";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { DurableObjectStore, type ObjectStorage } from "@rockpool/workflow/durable-object";
import { fakeOtel, functions as otelFunctions, type Place } from "../support/fake_otel.ts";
import { objectStorage } from "../support/object_storage.ts";
import { acceptDelivery, Payloads } from "@rockpool/workflow/storage";
import {
  attempts,
  FaultyStore,
  pauseAt,
  replace,
  type Replacement,
  takes,
  TestExecutor,
} from "@rockpool/workflow/testing";
import { macrotasks } from "../support/executors.ts";
import { contextOf } from "../support/durable.ts";
import { answer, emptyClient, emptyConnection, emptyPool, emptyPostgresJs } from "./empty_postgres.ts";
import { fakeSdk, invokeRun } from "./fake_restate.ts";
import { fail, type World } from "./misbehaviours.ts";

type Ctx = WorkflowContext;

/** The callback: it behaves well until the walk lets it misbehave. */
// deno-lint-ignore no-explicit-any -- it stands for functions of every type
export type Bad = (...args: any[]) => any;

/** One callback. */
export interface CallbackRow {
  /** The options of the executor. */
  readonly options?: (bad: Bad, inner: InMemoryStore, clock: VirtualClock) => Partial<ExecutorOptions>;
  /** What calls it, for a workflow "harmed". It settles, whatever the callback does. */
  readonly run: (world: World, bad: Bad) => unknown;
  /** What the callback should return; by default `undefined`. */
  readonly well?: Bad;
  /** It misbehaves from the beginning, so also towards the bystander. */
  readonly always?: true;
  /** Nobody looks at what it returns, as with `setTimeout`: a promise that rejects is its own matter. */
  readonly ownPromises?: true;
  /** What a callback that never answers holds up: the run, until the executor is closed; or its caller, for ever. */
  readonly stalls?: "until closed" | "for ever";
}

const execute = async ({ executor }: World, workflow: unknown, options: object = {}): Promise<unknown> => {
  const handle = await executor.execute(workflow as () => unknown, { id: "harmed", ...options });
  return await handle.result();
};

/** What a workflow does. A workflow that waits for a callback can never end, but it can be closed. */
const inRun = (body: (ctx: Ctx, bad: Bad) => unknown): CallbackRow => ({
  run: (world, bad) => execute(world, (ctx: Ctx) => body(ctx, bad)),
  stalls: "until closed",
});

/** Every call of an executor to the workflow "harmed", which uses everything that a workflow can use. */
async function everything({ executor, store, clock }: World, _bad?: Bad, hooks?: Hooks): Promise<void> {
  const waits = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(clock.now() + ms, () => resolve()));
  async function harmed(ctx: Ctx) {
    ctx.handleQuery("q", () => 1);
    ctx.handleUpdate("u", (n: unknown) => n, { validate: (n) => n === "refused" && fail() });
    for (const level of ["debug", "info", "warn", "error"] as const) ctx.log[level](level);
    ctx.patched("change");
    ctx.setLabels({ stage: "new" });
    await ctx.executeActivity(
      async function target(_: unknown, { attempt, heartbeat }) {
        heartbeat(attempt);
        await waits(5);
        heartbeat(attempt + 1);
        if (attempt === 1) throw new Error("busy");
      },
      null,
      { retry: { maxAttempts: 2, initialIntervalMs: 1 }, heartbeatTimeoutMs: 10 },
    ).catch(() => {});
    await ctx.executeActivity(() => Promise.reject(new Error("no"))).catch(() => {});
    await ctx.sideEffect(() => 1);
    await ctx.executeChild(() => 1, undefined, { id: "child 1" }).catch(() => {});
    const child = ctx.startChild(() => Promise.reject(new Error("no")), undefined, {
      id: "child 2",
      retry: { maxAttempts: 2, initialIntervalMs: 1 },
    });
    await child.started.catch(() => {});
    await child.result().catch(() => {});
    await ctx.waitForSignal("go").catch(() => {});
  }
  const calls: Promise<unknown>[] = [];
  const push = (...promises: Promise<unknown>[]) =>
    void calls.push(...promises.map((one) => one.then(() => {}, () => {})));
  const call = (id: string, workflow: (ctx: Ctx) => unknown) => {
    const started = executor.execute(workflow, { id });
    push(started.then((handle) => handle.result()));
    return started;
  };
  /** Lets the runs come as far as they can. */
  const pause = async () => {
    for (let i = 0; i < 8; i++) {
      await macrotasks(3);
      clock.advance(5).catch(() => {});
    }
  };
  await call("harmed", harmed).catch(() => {});
  await call("failing", (ctx) => {
    ctx.addCompensation(() => {});
    throw new Error("no");
  }).catch(() => {});
  await call("canceled", (ctx) => ctx.waitForSignal("never")).catch(() => {});
  push(executor.cancel("canceled"));
  await pause();
  const other = new Executor({ store, clock, hooks, onError: () => {} });
  for (const input of [1, "refused"]) {
    push(executor.update("harmed", "u", input), other.update("harmed", "u", input));
    push(executor.query("harmed", "q"), executor.describe("harmed"));
  }
  await pause();
  push(executor.signal("harmed", "unread", 1), executor.signal("harmed", "go", 1));
  await pause();
  push(executor.cancel("harmed"), executor.terminate("harmed"));
  await pause();
  await other.close();
  await Promise.all(calls);
}

const ofHarmed = (bad: Bad, isHarmed: (...args: never[]) => boolean, well: Bad = () => {}): Bad => (...args) =>
  (isHarmed(...args as never[]) ? bad : well)(...args);

/** Hooks, loggers and middleware get the calls of `everything`. */
const hooks: readonly (keyof Hooks)[] = [
  "workflowStarted",
  "workflowCompleted",
  "workflowFailed",
  "workflowCanceled",
  "workflowReplayed",
  "activityStarted",
  "activityAttemptFailed",
  "activityHeartbeat",
  "activityCompleted",
  "activityFailed",
  "timerStarted",
  "timerFired",
  "sideEffect",
  "signalReceived",
  "cancelRequested",
  "childStarted",
  "childBegun",
  "childAttemptFailed",
  "childCompleted",
  "childFailed",
  "compensationStarted",
  "labelsChanged",
  "patched",
  "updateRequested",
  "updateAccepted",
  "updateCompleted",
  "updateRejected",
  "messagesUnhandled",
];

/** A clock one of whose functions misbehaves now and then. */
const spoiledClock = (clock: VirtualClock, spoil: (clock: Clock) => Partial<Clock>): Clock => {
  const plain: Clock = {
    now: () => clock.now(),
    setTimer: (dueAt, callback) => clock.setTimer(dueAt, callback),
    hold: (working) => clock.hold(working),
    release: (working) => clock.release(working),
  };
  return { ...plain, ...spoil(plain) };
};

const everyThird = (bad: Bad, well: Bad): Bad => {
  let calls = 0;
  return (...args) => (calls++ % 3 === 1 ? bad : well)(...args);
};

const MEMBERS = ["heads", "count", "loadSince", "deliver", "claim", "renew", "release"] as const;
type Member = typeof MEMBERS[number];

/** A store, one of whose methods misbehaves for the workflow "harmed". */
const spoiledStore = (
  inner: InMemoryStore,
  method: keyof WorkflowStore,
  spoiled: (well: Bad) => Bad,
  members: readonly Member[] = [],
): WorkflowStore => {
  const store: Record<string, Bad> = {};
  for (const name of ["save", "load", "list", "delete", "append", "subscribe", ...members] as const) {
    store[name] = (...args) => (inner[name] as Bad)(...args);
  }
  store[method] = spoiled(store[method]);
  return store as never;
};

const idOf = (arg: unknown): boolean =>
  arg === "harmed" || (arg as { workflowId?: string } | null | undefined)?.workflowId === "harmed";

/** A database of Deno KV that holds nothing. */
const noEntry = (key: DenoKvKey) => Promise.resolve({ key, value: null, versionstamp: null });
async function* noEntries(): AsyncGenerator<never> {}
function atomicOf(part: Partial<DenoKvAtomic>): DenoKvAtomic {
  const atomic: DenoKvAtomic = {
    check: () => atomic,
    set: () => atomic,
    delete: () => atomic,
    commit: () => Promise.resolve({ ok: true }),
    ...part,
  };
  return atomic;
}
const kvRow = (
  part: (bad: Bad) => Partial<DenoKv>,
  call: (store: DenoKvStore) => Promise<unknown> = (store) => store.save({ workflowId: "harmed", status: "running" }),
): CallbackRow => ({
  run: (_, bad) =>
    call(
      new DenoKvStore({
        get: noEntry,
        getMany: (keys) => Promise.all(keys.map(noEntry)),
        list: noEntries,
        atomic: () => atomicOf({}),
        commitVersionstamp: () => Symbol(),
        ...part(bad),
      }),
    ),
  stalls: "for ever",
});

/** Traces and metrics of the workflow "harmed", whose API misbehaves. */
const otelRow = (place: Place): CallbackRow => ({
  options: (bad) => {
    const { middleware, hooks } = otel({ api: fakeOtel({ [place]: bad }) });
    const ofRun = Object.entries<Bad>(hooks as never).map(([name, hook]) => [
      name,
      ofHarmed(hook, (_, run) => idOf(run)),
    ]);
    return {
      hooks: Object.fromEntries(ofRun),
      middleware: [(call, next) => idOf(call) ? middleware(call, next) : next()],
    };
  },
  run: everything,
  well: otelFunctions[place],
  ownPromises: true,
  ...(place === "OtelApi.context" && { stalls: "for ever" }),
});

/** Metrics are made at once, by an API that misbehaves. */
const otelMeterRow = (place: Place): CallbackRow => ({
  run: (_, bad) => void otel({ api: fakeOtel({ [place]: bad }) }),
  well: otelFunctions[place],
  ownPromises: true,
});

/** A Durable Object whose storage misbehaves: a state is saved. */
const objectRow = (part: (bad: Bad, storage: ObjectStorage) => Partial<ObjectStorage>): CallbackRow => ({
  run: async (_, bad) => {
    const storage = objectStorage();
    await new DurableObjectStore({ ...storage, ...part(bad, storage) }).save({
      workflowId: "harmed",
      status: "running",
    });
  },
  ownPromises: true,
});

/** A store on a client of Postgres that misbehaves: it is opened, written, and listened to. */
const postgresRow = (client: (bad: Bad) => Parameters<typeof PostgresStore.open>[0]): CallbackRow => ({
  run: async (_, bad) => {
    const store = await PostgresStore.open(client(bad));
    const end = store.subscribe(() => {});
    await macrotasks(5);
    try {
      await store.save({ workflowId: "harmed", status: "running" });
      await store.load("harmed");
    } finally {
      end();
      await store.close();
    }
  },
  stalls: "for ever",
});
const listening = () => Promise.resolve(() => {});

/** A transactional activity on a client of Postgres, where the client or the function misbehaves. */
const transactionRow = (
  client: (bad: Bad) => Parameters<typeof PostgresStore.open>[0],
  fn: (bad: Bad) => Bad = () => () => 1,
): CallbackRow => ({
  run: async (_, bad) => {
    const store = await PostgresStore.open(client(bad));
    try {
      await store.transactional(fn(bad))(null, contextOf({ workflowId: "harmed" }));
    } finally {
      await store.close();
    }
  },
  stalls: "for ever",
});
const transaction: NonNullable<PostgresClient["transaction"]> = (body) => body({ query: answer, tx: {} });

/** The pages of an inspector, one of whose options misbehaves. */
const inspectorRow = (options: (bad: Bad) => Partial<InspectorOptions>, well: Bad): CallbackRow => ({
  run: async ({ executor, store }, bad) => {
    await execute({ executor } as World, () => "done", { input: "secret" });
    const inspect = inspector({ store, executor, ...options(bad) });
    for (const query of ["", "?id=harmed", "?id=nobody"]) {
      const response = await inspect(new Request(`http://localhost/${query}`));
      await response.text();
    }
  },
  well,
  stalls: "for ever",
});

async function harmed(ctx: Ctx): Promise<void> {
  await ctx.sideEffect(() => 1);
  ctx.log.info("its logger fails");
}
const sdkRow = (part: (bad: Bad) => Partial<RestateSdk>): CallbackRow => ({
  run: (_, bad) => void restateServices({ ...fakeSdk, ...part(bad) }, { workflows: {} }),
  well: (definition) => definition,
  ownPromises: true,
});

const storeRow = (method: "save" | "load" | "list" | "delete" | "append"): CallbackRow => {
  let inner: InMemoryStore;
  return {
    options: (bad, own) => ({
      store: spoiledStore(inner = own, method, (well) => ofHarmed(bad, method === "list" ? () => true : idOf, well)),
    }),
    well: (...args) => (inner[method] as Bad)(...args),
    run: async (world) => {
      await everything(world);
      await world.executor.execute(() => {}, { id: "harmed" }).catch(() => {});
      await world.executor.recover();
    },
    stalls: "for ever",
  };
};

/** An optional method of a store, under an executor with leases that works. */
const memberRow = (method: Exclude<Member, "count" | "claim" | "release">): CallbackRow => {
  let inner: InMemoryStore;
  const spoil = (bad: Bad) => (well: Bad) =>
    method === "loadSince" || method === "deliver" ? ofHarmed(bad, idOf, well) : bad;
  return {
    options: (bad, own) => ({
      store: spoiledStore(inner = own, method, spoil(bad), MEMBERS),
      ...(method !== "heads" && { leaseMs: method === "renew" ? 1000 : 1e9 }), // the time jumps by seconds
    }),
    well: (...args) => (inner[method] as Bad)(...args),
    run: async (world) => {
      const { executor, store, clock } = world;
      await everything(world);
      const other = new Executor({ store, clock, onError: () => {} });
      await other.execute(waiting, { id: "harmed" }).catch(() => {});
      const ended = new AbortController();
      const work = executor.work({ pollMs: 50, signal: ended.signal }).catch(() => {});
      for (let i = 0; i < 3; i++) {
        await executor.signal("harmed", "x", i).catch(() => {});
        await executor.describe("harmed").catch(() => {});
        await executor.recover().catch(() => {});
        await macrotasks(4);
        clock.advance(500).catch(() => {});
      }
      await other.close();
      await executor.terminate("harmed").catch(() => {});
      ended.abort();
      await work;
    },
    stalls: "for ever",
  };
};

const scriptRow = (method: "save" | "load" | "list" | "delete" | "append"): CallbackRow => ({
  options: (bad, inner) => {
    const store = new FaultyStore(inner);
    store.before[method] = ofHarmed(bad, method === "list" ? () => true : idOf);
    return { store };
  },
  run: async (world) => {
    await everything(world);
    await world.executor.recover();
  },
  stalls: "for ever",
});

/** The reason of an aborted signal: what the callback returns or throws. */
function reasonOf(bad: Bad): unknown {
  try {
    const reason = bad();
    if (Object.prototype.toString.call(reason) === "[object Promise]") reason.catch(() => {});
    return reason;
  } catch (error) {
    return error;
  }
}

/** A call that is given a signal, which is aborted while the call waits. */
const abortRow = (call: (world: World, signal: AbortSignal) => unknown): CallbackRow => ({
  run: async (world, bad) => {
    const controller = new AbortController();
    const answer = Promise.resolve(call(world, controller.signal)).then(() => {}, () => {});
    for (let i = 0; i < 5; i++) await Promise.resolve();
    await world.clock.advance(1);
    controller.abort(reasonOf(bad));
    await answer;
  },
});

/** Runs a workflow in an executor of its own, which is closed. */
async function withTestExecutor(activities: readonly Replacement[], workflow: Bad): Promise<void> {
  const executor = new TestExecutor({ activities });
  const handle = await executor.execute(workflow);
  await Promise.race([handle.result(), macrotasks(50)]).catch(() => {});
  await executor.close();
}

const waiting = (ctx: Ctx) => ctx.waitForSignal("never");

const table: Record<string, CallbackRow> = {
  // Workflow code

  "Executor.execute(workflow)": { run: execute, stalls: "until closed" },
  "Executor.executeMany(workflow)": {
    run: async ({ executor }, bad) => {
      const handles = await executor.executeMany(bad, [{ id: "harmed" }, { id: "harmed 2" }]);
      await Promise.allSettled(handles.map((handle) => handle.result()));
    },
    stalls: "until closed",
  },
  "ExecutorOptions.workflows": {
    options: (bad) => ({ workflows: { stored: bad } }),
    run: async ({ executor, store, clock }) => {
      const first = new Executor({ store, clock });
      await first.execute(async function stored(ctx: Ctx) {
        await ctx.waitForSignal("never");
      }, { id: "harmed" });
      await first.close();
      await executor.recover();
      await (await executor.handle("harmed")).result();
    },
    stalls: "until closed",
  },
  "schedule(workflow)": {
    run: (world, bad) => {
      let calls = 0;
      return execute(world, schedule(bad, { rule: { nextRun: () => calls++ < 2 ? new Date(50_000 + calls) : null } }));
    },
    stalls: "until closed",
  },
  "CliIo.out": { run: (_, out) => main(["--help"], { out, error: () => {} }) },
  "CliIo.error": { run: (_, error) => main(["unknown"], { out: () => {}, error }) },
  "InspectorOptions.authorize": inspectorRow((authorize) => ({ authorize }), () => true),
  "InspectorOptions.redact": inspectorRow((redact) => ({ redact }), (value) => value),
  "InspectorOptions.now": inspectorRow((now) => ({ now }), () => 0),
  "ScheduleOptions.rule": {
    run: (world, bad) => execute(world, schedule(() => {}, { rule: bad })),
    well: () => ({ nextRun: () => null }),
  },
  "ScheduleRule.nextRun": {
    run: (world, bad) => execute(world, schedule(() => {}, { rule: { nextRun: bad } })),
    well: () => null,
  },
  "WorkflowContext.executeActivity(activity)": inRun((ctx, bad) => ctx.executeActivity(bad)),
  "WorkflowContext.executeChild(workflow)": inRun((ctx, bad) => ctx.executeChild(bad)),
  "WorkflowContext.startChild(workflow)": inRun((ctx, bad) => ctx.startChild(bad).result()),
  "WorkflowContext.scope(body)": inRun((ctx, bad) => ctx.scope(bad)),
  "WorkflowContext.shield(body)": inRun((ctx, bad) => ctx.shield((inner) => bad(inner))),
  "WorkflowContext.spawn(body)": inRun(async (ctx, bad) => {
    ctx.spawn(bad);
    await ctx.sleep(10);
  }),
  "WorkflowContext.handleSignal(handler)": inRun(async (ctx, bad) => {
    ctx.handleSignal("s", bad);
    await ctx.signalWorkflow(ctx.workflowId, "s", 1);
    await ctx.sleep(10);
  }),
  "WorkflowContext.handleOtherSignals(handler)": inRun(async (ctx, bad) => {
    ctx.handleOtherSignals(bad);
    await ctx.signalWorkflow(ctx.workflowId, "s", 1);
    await ctx.sleep(10);
  }),
  "WorkflowContext.waitUntil(condition)": {
    ...inRun((ctx, bad) => ctx.waitUntil(bad, { timeoutMs: 10 })),
    well: () => true,
  },
  "WorkflowContext.sideEffect(body)": inRun((ctx, bad) => ctx.sideEffect(bad)),
  "WorkflowContext.addCompensation(body)": inRun(async (ctx, bad) => {
    ctx.addCompensation(bad);
    await ctx.sleep(1);
    throw new Error("no");
  }),
  "WorkflowContext.mapConcurrent(body)": inRun((ctx, bad) => ctx.mapConcurrent([1, 2, 3], 2, bad)),
  "WorkflowContext.handleQuery(handler)": {
    run: async ({ executor }, bad) => {
      await executor.execute(async (ctx: Ctx) => {
        ctx.handleQuery("q", bad);
        await ctx.waitForSignal("never");
      }, { id: "harmed" });
      await executor.query("harmed", "q").catch(() => {});
      await executor.terminate("harmed");
      await executor.query("harmed", "q");
    },
    well: () => 1,
  },
  "WorkflowContext.handleUpdate(handler)": {
    run: async ({ executor }, bad) => {
      await executor.execute(async (ctx: Ctx) => {
        ctx.handleUpdate("u", bad);
        await ctx.waitForSignal("never");
      }, { id: "harmed" });
      await executor.update("harmed", "u");
    },
    stalls: "until closed",
  },
  "UpdateHandlerOptions.validate": {
    run: async ({ executor }, bad) => {
      await executor.execute(async (ctx: Ctx) => {
        ctx.handleUpdate("u", () => 1, { validate: bad });
        await ctx.waitForSignal("never");
      }, { id: "harmed" });
      await executor.update("harmed", "u");
    },
  },
  "UpdateDefinitionOptions.validate": {
    run: async ({ executor }, bad) => {
      const update = defineUpdate("u", { validate: bad });
      await executor.execute(async (ctx: Ctx) => {
        ctx.handleUpdate(update, () => 1);
        await ctx.waitForSignal("never");
      }, { id: "harmed" });
      await executor.update("harmed", "u").catch(() => {});
      await executor.update("harmed", update, undefined);
    },
  },
  "UpdateDefinition.validate": {
    run: ({ executor }, bad) => executor.update("harmed", { kind: "update", name: "u", validate: bad }, 1),
  },
  "activity(fn)": inRun((ctx, bad) => ctx.executeActivity(activity(bad, { name: "a", retry: { maxAttempts: 2 } }))),
  "RetryPolicy.isRetryable": inRun((ctx, isRetryable) =>
    ctx.executeActivity(fail, undefined, { retry: { isRetryable, maxAttempts: 2, initialIntervalMs: 1 } })
  ),
  "RetryPolicy.isRetryable of a child": inRun((ctx, isRetryable) =>
    ctx.executeChild(fail, undefined, { retry: { isRetryable, maxAttempts: 2, initialIntervalMs: 1 } })
  ),
  "RetryPolicy.isRetryable of a store": {
    options: (isRetryable, inner) => ({
      store: spoiledStore(inner, "append", (well) => ofHarmed(fail, idOf, well)),
      storeRetry: { isRetryable, maxAttempts: 2, initialIntervalMs: 1 },
    }),
    run: (world) => execute(world, () => 1),
  },

  // The parts of an executor

  ...Object.fromEntries(hooks.map((name) => [`Hooks.${name}`, {
    options: (bad: Bad) => ({ hooks: { [name]: bad }, dormantAfterMs: 0 }),
    // The executor that does not run the workflow stores the request.
    run: (world: World, bad: Bad) => everything(world, bad, name === "updateRequested" ? { [name]: bad } : undefined),
  }])),
  ...Object.fromEntries((["debug", "info", "warn", "error"] as const).map((level) => [`WorkflowLogger.${level}`, {
    options: (bad: Bad) => ({ logger: { debug() {}, info() {}, warn() {}, error() {}, [level]: bad } }),
    run: everything,
  }])),
  "ExecutorOptions.middleware": {
    options: (bad) => ({
      middleware: [(call, next) => call.workflowId === "harmed" ? bad(call, next) : next()],
    }),
    run: everything,
    well: (_call, next) => next(),
    stalls: "for ever",
  },
  "ExecutorOptions.middleware, after the call": {
    options: (bad) => ({
      middleware: [async (call, next) => {
        const answer = await next();
        return call.workflowId === "harmed" ? bad(answer) : answer;
      }],
    }),
    run: everything,
    well: (answer) => answer,
    stalls: "for ever",
  },
  "ExecutorOptions.replaceActivity": {
    options: (bad) => ({ replaceActivity: bad }),
    run: everything,
  },
  "ExecutorOptions.replaceActivity()": {
    options: (bad) => ({ replaceActivity: (_activity, name) => name === "target" ? bad : undefined }),
    run: everything,
    stalls: "until closed",
  },
  "ExecutorOptions.onError": {
    options: (onError) => ({ onError, hooks: { activityStarted: fail, workflowCompleted: fail } }),
    run: everything,
  },
  "ExecutorOptions.random": {
    options: (random) => ({ random }),
    run: everything,
    well: () => 0.5,
    always: true,
  },
  "ExecutorOptions.newRunId": {
    options: (bad) => ({ newRunId: ofHarmed(bad, idOf, () => crypto.randomUUID()) }),
    run: everything,
    well: () => crypto.randomUUID(),
  },
  "Clock.now": {
    options: (bad, _, clock) => ({
      clock: spoiledClock(clock, ({ now }) => ({ now: everyThird(() => bad(now), now) })),
    }),
    run: everything,
    well: (now) => now(),
    always: true,
  },
  "Clock.setTimer": {
    options: (bad, _, clock) => ({
      clock: spoiledClock(clock, ({ setTimer }) => ({
        setTimer: everyThird((...args) => {
          const clear = setTimer(args[0], args[1]); // a timer that is lost cannot be noticed
          return bad(clear);
        }, setTimer),
      })),
    }),
    run: everything,
    well: (clear) => clear,
  },
  "Clock.setTimer()": {
    options: (bad, _, clock) => ({
      clock: spoiledClock(clock, ({ setTimer }) => ({
        setTimer(...args) {
          const clear = setTimer(...args);
          return () => {
            clear();
            return bad();
          };
        },
      })),
    }),
    run: everything,
  },
  "Clock.hold": {
    options: (hold, _, clock) => ({ clock: spoiledClock(clock, () => ({ hold, release() {} })) }),
    run: everything,
    always: true,
  },
  "Clock.release": {
    options: (release, _, clock) => ({ clock: spoiledClock(clock, () => ({ hold() {}, release })) }),
    run: everything,
    always: true,
  },

  // Stores

  "WorkflowStore.load": storeRow("load"),
  "WorkflowStore.list": storeRow("list"),
  "WorkflowStore.append": storeRow("append"),
  "WorkflowStore.save": {
    run: (_, save) => new FaultyStore({ save } as never).save({ workflowId: "harmed" } as never),
    stalls: "for ever",
  },
  "WorkflowStore.delete": {
    run: (_, bad) => new FaultyStore({ delete: bad } as never).delete("harmed"),
    stalls: "for ever",
  },
  "WorkflowStore.subscribe": {
    options: (bad, inner) => ({ store: spoiledStore(inner, "subscribe", () => bad) }),
    run: everything,
    well: () => () => {},
    always: true,
  },
  "WorkflowStore.subscribe()": {
    run: async ({ store, clock }, bad) => {
      const spoiled = spoiledStore(store, "subscribe", (well) => (listener) => {
        const end = well(listener);
        return () => {
          end();
          return bad();
        };
      });
      const executor = new Executor({ store: spoiled, clock, onError() {} });
      await executor.execute(waiting, { id: "harmed" });
      await executor.close();
    },
  },
  ...Object.fromEntries((["heads", "loadSince", "deliver", "renew"] as const).map((method) => [
    `WorkflowStore.${method}`,
    memberRow(method),
  ])),
  // An executor of its own: a claim that is never answered costs the runs of an executor whose clock jumps over its lease.
  "WorkflowStore.claim": {
    run: async ({ store, clock }, bad) => {
      const spoiled = spoiledStore(
        store,
        "claim",
        (well) => (options) => (options.limit === 0 ? well : bad)(options),
        MEMBERS,
      );
      const free = { now: () => clock.now(), setTimer: (at: number, call: () => void) => clock.setTimer(at, call) };
      const executor = new Executor({ store: spoiled, clock: free, leaseMs: 1000, onError() {} });
      await executor.execute(waiting, { id: "harmed" });
      const work = executor.work({ pollMs: 50 });
      await executor.recover().catch(() => {});
      await executor.terminate("harmed").catch(() => {});
      await executor.close();
      await work;
    },
    well: () => Promise.resolve([]),
    stalls: "for ever",
  },
  "WorkflowStore.count": {
    run: (_, count) => new FaultyStore({ count } as never, { members: true }).count!(),
    stalls: "for ever",
  },
  "WorkflowStore.release": {
    run: async ({ store, clock }, bad) => {
      const spoiled = spoiledStore(store, "release", () => bad, MEMBERS);
      const free = { now: () => clock.now(), setTimer: (at: number, call: () => void) => clock.setTimer(at, call) };
      const executor = new Executor({ store: spoiled, clock: free, leaseMs: 1000, onError() {} });
      await executor.execute(waiting, { id: "harmed" });
      await executor.close();
    },
    stalls: "for ever",
  },
  "acceptDelivery(has)": {
    run: async ({ executor, store }, has) => {
      const handle = await executor.execute(waiting, { id: "harmed" });
      const head = (await store.loadSince("harmed", Infinity))!.head;
      const event = { type: "signal_received", at: 0, signalId: "1", name: "x", payload: 1 } as const;
      try {
        acceptDelivery(head, { workflowId: "harmed", events: [event] }, has);
      } finally {
        await handle.terminate().catch(() => {});
      }
    },
    ownPromises: true,
    well: () => false,
  },
  "InMemoryStore.subscribe(listener)": {
    run: async (world, bad) => {
      const end = world.store.subscribe(bad);
      await everything(world);
      end();
    },
  },
  "InMemoryStore.update(change)": {
    run: (_, bad) => new InMemoryStore().update("harmed", bad),
    stalls: "for ever",
  },
  "StoreScript.load": scriptRow("load"),
  "StoreScript.list": scriptRow("list"),
  "StoreScript.append": scriptRow("append"),
  ...Object.fromEntries(MEMBERS.map((method) => [`StoreScript.${method}`, {
    run: ({ store }: World, bad: Bad) => {
      const faulty = new FaultyStore(store, { members: true });
      faulty.before[method] = bad;
      return (faulty[method] as Bad)("harmed", 1);
    },
    stalls: "for ever" as const,
  }])),
  "StoreScript.save": {
    run: ({ store }, bad) => {
      const faulty = new FaultyStore(store);
      faulty.before.save = bad;
      return faulty.save({ workflowId: "harmed" } as never);
    },
    stalls: "for ever",
  },
  "StoreScript.delete": {
    run: ({ store }, bad) => {
      const faulty = new FaultyStore(store);
      faulty.before.delete = bad;
      return faulty.delete("harmed");
    },
    stalls: "for ever",
  },
  "PayloadCodec.encode": {
    run: (_, bad) => new Payloads({ name: "x", encode: bad, decode: String }).write(1, "harmed"),
    well: (text) => text,
    stalls: "for ever",
  },
  "PayloadCodec.decode": {
    run: (_, bad) => new Payloads({ name: "x", encode: String, decode: bad }).read("1", "x", "harmed"),
    well: (text) => text,
    stalls: "for ever",
  },
  "DenoKv.get": { ...kvRow((get) => ({ get }), (store) => store.list()), well: noEntry },
  "DenoKv.getMany": { ...kvRow((getMany) => ({ getMany })), well: (keys) => Promise.resolve(keys.map(noEntry)) },
  "DenoKv.list": { ownPromises: true, ...kvRow((list) => ({ list }), (store) => store.sweep()), well: noEntries },
  "DenoKv.atomic": { ownPromises: true, ...kvRow((atomic) => ({ atomic })), well: () => atomicOf({}) },
  "DenoKv.commitVersionstamp": {
    ownPromises: true,
    ...kvRow((commitVersionstamp) => ({ commitVersionstamp })),
    well: () => Symbol(),
  },
  "DenoKvAtomic.check": {
    ownPromises: true,
    ...kvRow((check) => ({ atomic: () => atomicOf({ check }) })),
    well: () => atomicOf({}),
  },
  "DenoKvAtomic.set": {
    ownPromises: true,
    ...kvRow((set) => ({ atomic: () => atomicOf({ set }) })),
    well: () => atomicOf({}),
  },
  "DenoKvAtomic.delete": {
    ...kvRow(
      (bad) => ({ atomic: () => atomicOf({ delete: bad }) }),
      (store) => store.release("harmed"),
    ),
    ownPromises: true,
    well: () => atomicOf({}),
  },
  "DenoKvAtomic.commit": {
    ...kvRow((commit) => ({ atomic: () => atomicOf({ commit }) })),
    well: () => Promise.resolve({ ok: true }),
  },
  "ObjectStorage.transactionSync": {
    ...objectRow((transactionSync) => ({ transactionSync })),
    well: (closure) => closure(),
  },
  "ObjectSql.exec": { ...objectRow((exec) => ({ sql: { exec } })), well: () => ({ toArray: () => [] }) },
  "ObjectCursor.toArray": { ...objectRow((toArray) => ({ sql: { exec: () => ({ toArray }) } })), well: () => [] },
  "PostgresClient.query": { ...postgresRow((query) => emptyClient({ query })), well: answer },
  "PostgresClient.listen": { ...postgresRow((listen) => emptyClient({ listen })), well: listening },
  "PostgresClient.listen()": postgresRow((end) => emptyClient({ listen: () => Promise.resolve(end) })),
  "PostgresClient.transaction": {
    ...transactionRow((bad) => emptyClient({ transaction: bad })),
    well: transaction,
  },
  "PostgresTransaction.query": {
    ...transactionRow((query) => emptyClient({ transaction: (body) => body({ query, tx: {} }) })),
    well: answer,
  },
  "PostgresJs.begin": {
    ...transactionRow((begin) => emptyPostgresJs({ begin })),
    well: (body) => body(emptyPostgresJs({})),
  },
  "PostgresJsTransaction.unsafe": {
    ...transactionRow((unsafe) => emptyPostgresJs({ begin: (body) => body({ unsafe }) })),
    well: answer,
  },
  "PgConnection.removeListener": {
    ...transactionRow((removeListener) =>
      emptyPool({
        connect: () =>
          Promise.resolve(emptyConnection({
            query: async ({ text }) => ({ rows: await answer(text) }),
            removeListener,
          })),
      })
    ),
    ownPromises: true,
  },
  "PostgresStore.transactional(fn)": transactionRow(() => emptyClient({ transaction }), (bad) => bad),
  "RestateServicesOptions.workflows": {
    run: (_, bad) => invokeRun({ workflows: { harmed: bad }, onError() {} }),
    stalls: "for ever",
  },
  "RestateServicesOptions.onError": {
    run: (_, onError) => invokeRun({ workflows: { harmed }, onError }),
  },
  "RestateSdk.object": sdkRow((object) => ({ object })),
  "RestateSdk.workflow": sdkRow((workflow) => ({ workflow })),
  "RestateClientOptions.fetch": {
    run: (_, fetch) => new RestateClient("http://localhost", { fetch, retryForMs: 0 }).load("harmed"),
    stalls: "for ever",
  },
  "SqliteStore.transactional(fn)": {
    run: async (_, bad) => {
      await using store = await SqliteStore.open(":memory:");
      await store.append({
        workflowId: "harmed",
        runId: "1",
        expectedLength: 0,
        events: [{ type: "workflow_started", at: 1, workflowName: "w", input: null }],
      });
      await store.transactional(bad)(null, contextOf({ workflowId: "harmed" }));
    },
  },
  "PostgresJs.unsafe": { ...postgresRow((unsafe) => emptyPostgresJs({ unsafe })), well: answer },
  "PostgresJs.listen": {
    ...postgresRow((listen) => emptyPostgresJs({ listen })),
    well: () => Promise.resolve({ unlisten() {} }),
  },
  "PgPool.query": {
    ...postgresRow((query) => emptyPool({ query })),
    well: async ({ text }) => ({ rows: await answer(text) }),
  },
  "PgPool.connect": {
    ...postgresRow((connect) => emptyPool({ connect })),
    well: () => Promise.resolve(emptyConnection({})),
  },
  "PgPool.on": { ...postgresRow((on) => emptyPool({ on })), ownPromises: true },
  "PgPool.listenerCount": {
    ...postgresRow((listenerCount) => emptyPool({ listenerCount })),
    ownPromises: true,
    well: () => 0,
  },
  "PgConnection.query": {
    ...postgresRow((query) => emptyPool({ connect: () => Promise.resolve(emptyConnection({ query })) })),
    well: () => Promise.resolve(),
  },
  "PgConnection.on": {
    ...postgresRow((on) => emptyPool({ connect: () => Promise.resolve(emptyConnection({ on })) })),
    ownPromises: true,
  },
  "PgConnection.release": {
    ...postgresRow((release) => emptyPool({ connect: () => Promise.resolve(emptyConnection({ release })) })),
    ownPromises: true,
  },
  "FaultyStoreOptions.suppress": {
    run: ({ store }, suppress) => new FaultyStore(store, { failBefore: 1, suppress }).load("harmed"),
    well: () => false,
  },
  "RWLock.read(body)": { run: (_, bad) => new RWLock().read(bad), stalls: "for ever" },
  "RWLock.write(body)": { run: (_, bad) => new RWLock().write(bad), stalls: "for ever" },

  // Signals of callers

  "ExecuteOptions.signal": abortRow((world, signal) => execute(world, waiting, { signal })),
  "ResultOptions.signal": abortRow(async ({ executor }, signal) => {
    const handle = await executor.execute(waiting, { id: "harmed" });
    await handle.result({ signal });
  }),
  "UpdateOptions.signal": abortRow(async ({ executor }, signal) => {
    await executor.execute(waiting, { id: "harmed" });
    await executor.update("harmed", "unknown", 1, { signal });
  }),
  "WorkOptions.signal": abortRow(({ store, clock }, signal) =>
    new Executor({ store, clock, leaseMs: 1000, onError() {} }).work({ signal })
  ),
  "WatchOptions.signal": abortRow(({ store }, signal) => store.watch({ signal }).next()),
  "LockOptions.signal": abortRow(async (_, signal) => {
    const lock = new RWLock();
    using _permit = await lock.acquireWrite();
    await lock.read(() => {}, { signal });
  }),

  // Time

  "VirtualClock.setTimer(callback)": {
    run: async (_, bad) => {
      const clock = new VirtualClock({ autoAdvance: false });
      clock.setTimer(5, bad);
      await clock.advance(5);
    },
    ownPromises: true,
  },
  "VirtualClock.setTimer(callback), while the clock jumps by itself": {
    run: async ({ clock }, bad) => {
      clock.setTimer(clock.now() + 5, bad);
      await macrotasks(20);
    },
    ownPromises: true,
  },
  "VirtualClock.at(callback)": {
    run: async (_, bad) => {
      const clock = new VirtualClock({ autoAdvance: false });
      clock.at(5, bad);
      await clock.runUntilIdle();
    },
    stalls: "for ever",
  },

  // OpenTelemetry

  ...Object.fromEntries(
    (Object.keys(otelFunctions) as Place[]).map((place) => [
      place,
      /create|addCallback/.test(place) ? otelMeterRow(place) : otelRow(place),
    ]),
  ),
  "Otel.middleware(next)": {
    run: (_, bad) => otel({ api: fakeOtel() }).middleware(query, bad),
    stalls: "for ever",
  },

  // Tools

  "applyMiddleware(middleware)": {
    run: (_, bad) => applyMiddleware([bad, bad], query, () => Promise.resolve(1), () => {}),
    well: (_call, next) => next(),
    stalls: "for ever",
  },
  "applyMiddleware(body)": {
    run: (_, bad) => applyMiddleware([(_, next) => next()], query, bad, () => {}),
    stalls: "for ever",
  },
  "applyMiddleware(report)": {
    run: (_, bad) => applyMiddleware([fail], query, () => Promise.resolve(1), bad),
  },
  "applyMiddleware(change)": {
    run: (_, bad) =>
      applyMiddleware([(_, next) => next({ name: "b" })], query, () => Promise.resolve(1), () => {}, bad),
    well: (call) => call,
  },
  "TestExecutor.execute(workflow)": {
    run: async (_, bad) => {
      await withTestExecutor([], bad);
    },
  },
  "TestExecutor.use(body)": { run: (_, bad) => TestExecutor.use(bad), stalls: "for ever" },
  "replace(fake)": {
    run: async (_, bad) => {
      await withTestExecutor([replace(fail, bad)], (ctx: Ctx) => ctx.executeActivity(fail));
    },
  },
  "takes(fake)": {
    run: async (_, bad) => {
      await withTestExecutor([replace("fail", takes(10, bad))], (ctx: Ctx) => ctx.executeActivity(fail));
    },
  },
  "pauseAt(fake)": {
    run: async (_, bad) => {
      const pause = pauseAt(fail, "before", bad);
      pause.resume();
      await withTestExecutor([pause], (ctx: Ctx) => ctx.executeActivity(fail));
    },
  },
  "attempts(fakes)": inRun((ctx, bad) =>
    ctx.executeActivity(attempts(fail, bad), undefined, { retry: { maxAttempts: 2 } })
  ),
};

/** Functions that are compared, or kept for others, and not called. */
export const NOT_CALLED: readonly string[] = [
  "CliIo.now", // it is called when a file was read, which takes real time: see cli/main_test.ts
  "Executor.[Symbol.asyncDispose]", // the inspector gets an executor and does not close it
  "CliIo.signal", // it is no function
  "OtelContext.getValue",
  "OtelContext.setValue",
  "OtelContext.deleteValue",
  "Replacement.activity",
  "workflowObject(base)", // a class
  "workflowObject(options)", // it is called in workerd only
  "pauseAt(activity)",
  "replace(activity)",
  "TestExecutor.callsOf(activity)",
  "RestateClient.execute(workflow)",
  "RestateClientOptions.workflows",
  "RestateSdk.TerminalError", // a class
];

/** Callbacks that are given in at several places: the name of the row. */
export const SAME: Readonly<Record<string, string>> = {
  "Clock.setTimer(callback)": "VirtualClock.setTimer(callback)",
  "WorkflowStore.subscribe(listener)": "InMemoryStore.subscribe(listener)",
  "DenoKvStore.subscribe(listener)": "InMemoryStore.subscribe(listener)",
  "SqliteStore.subscribe(listener)": "InMemoryStore.subscribe(listener)",
  "DurableObjectStore.subscribe(listener)": "InMemoryStore.subscribe(listener)",
  "WorkflowObjectOptions.workflows": "ExecutorOptions.workflows",
  "WorkflowObjectOptions.now": "Clock.now",
  "PostgresStore.subscribe(listener)": "InMemoryStore.subscribe(listener)",
  "Listeners.add(listener)": "InMemoryStore.subscribe(listener)",
  "Replacement.fake": "replace(fake)",
  "at(workflow)": "replayHistory(workflow)",
};

const query = { kind: "query", workflowId: "harmed", name: "q", args: [] } as const;

export const CALLBACKS: Readonly<Record<string, CallbackRow>> = table;
