/**
 * A project that uses every entry of the package. It is type-checked against the packed declarations, and not run.
 *
 * Its options are `undefined`: with `exactOptionalPropertyTypes`, a property that can be left out accepts that only if its type says
 * so.
 *
 * @module
 */

import {
  type CallChanges,
  type ChildOptions,
  type CloseOptions,
  type CompensationOptions,
  composeHooks,
  defaultRetryPolicy,
  defineUpdate,
  type DescribeOptions,
  type ExecuteOptions,
  Executor,
  type ExecutorOptions,
  type Hooks,
  InMemoryStore,
  type InMemoryStoreOptions,
  type MessageOptions,
  type PageOptions,
  type ResultOptions,
  type RetryPolicy,
  type ScopeOptions,
  type SignalOptions,
  type UpdateDefinitionOptions,
  type UpdateHandlerOptions,
  type UpdateOptions,
  type VirtualClockOptions,
  type WaitOptions,
  type WatchOptions,
  WorkflowError,
} from "@rockpool/workflow";
import { activity, type ActivityContext, type ActivityOptions } from "@rockpool/workflow/activity";
import { type CliIo, main as commandLineMain } from "@rockpool/workflow/cli";
import { systemClock, VirtualClock } from "@rockpool/workflow/clock";
import type { WorkflowContext } from "@rockpool/workflow/context";
import { defineQuery, defineSignal } from "@rockpool/workflow/definitions";
import { failedActivity, TimeoutError } from "@rockpool/workflow/errors";
import type { WorkflowHandle } from "@rockpool/workflow/executor";
import type { RunInfo } from "@rockpool/workflow/hooks";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { type LockOptions, RWLock } from "@rockpool/workflow/lock";
import type { Middleware } from "@rockpool/workflow/middleware";
import type { WorkflowDescription } from "@rockpool/workflow/options";
import { otel, type OtelApi, type OtelOptions } from "@rockpool/workflow/otel";
import {
  formatTimeline,
  type MermaidOptions,
  type SvgOptions,
  type TimelineOptions,
} from "@rockpool/workflow/pictures";
import { retryDelayMs } from "@rockpool/workflow/retry";
import { every, type EveryOptions, type Occurrence, schedule, type ScheduleOptions } from "@rockpool/workflow/schedule";
import { type DenoKv, DenoKvStore } from "@rockpool/workflow/deno-kv";
import {
  DurableObjectStore,
  type DurableObjectStoreOptions,
  type ObjectState,
  type WorkflowObject,
  workflowObject,
} from "@rockpool/workflow/durable-object";
import { type PostgresClient, PostgresStore } from "@rockpool/workflow/postgres";
import {
  RestateClient,
  type RestateClientOptions,
  type RestateHandle,
  type RestateSdk,
  restateServices,
  type RestateServicesOptions,
} from "@rockpool/workflow/restate";
import { SqliteStore, type SqliteStoreOptions } from "@rockpool/workflow/sqlite";
import { type PayloadCodec, Payloads } from "@rockpool/workflow/storage";
import type { WorkflowPage } from "@rockpool/workflow/store";
import {
  type AssertReplaysOptions,
  crashTest,
  type CrashTestOptions,
  type FaultyStoreOptions,
  replace,
  type SimulateOptions,
  TestExecutor,
  type TestExecutorOptions,
} from "@rockpool/workflow/testing";
import { storeCases, type StoreCasesOptions, type TestStoreOptions } from "@rockpool/workflow/testing/store";
import type { WorkflowEvent, WorkflowFilter, WorkflowStateInit, WorkflowStore } from "@rockpool/workflow/types";

/** The properties that can be left out, each `undefined`. */
type AllUndefined<Options> = {
  [Key in keyof Options as Record<never, never> extends Pick<Options, Key> ? Key : never]-?: undefined;
};

/** Compiles if each property that can be left out can be `undefined`. */
function takesUndefined<Options>(_options: AllUndefined<Options> extends Partial<Options> ? true : never): void {}

export function everyOption(): void {
  // @ts-expect-error -- the type of the property does not say so
  takesUndefined<{ readonly drainMs?: number }>(true);
  takesUndefined<ActivityOptions>(true);
  takesUndefined<AssertReplaysOptions>(true);
  takesUndefined<CallChanges>(true);
  takesUndefined<ChildOptions>(true);
  takesUndefined<CloseOptions>(true);
  takesUndefined<CompensationOptions>(true);
  takesUndefined<CrashTestOptions>(true);
  takesUndefined<DescribeOptions>(true);
  takesUndefined<DurableObjectStoreOptions>(true);
  takesUndefined<EveryOptions>(true);
  takesUndefined<ExecuteOptions>(true);
  takesUndefined<ExecutorOptions>(true);
  takesUndefined<FaultyStoreOptions>(true);
  takesUndefined<Hooks>(true);
  takesUndefined<InMemoryStoreOptions>(true);
  takesUndefined<LockOptions>(true);
  takesUndefined<MermaidOptions>(true);
  takesUndefined<MessageOptions>(true);
  takesUndefined<PageOptions>(true);
  takesUndefined<RestateClientOptions>(true);
  takesUndefined<RestateServicesOptions>(true);
  takesUndefined<ResultOptions>(true);
  takesUndefined<RetryPolicy>(true);
  takesUndefined<ScheduleOptions>(true);
  takesUndefined<ScopeOptions>(true);
  takesUndefined<SignalOptions>(true);
  takesUndefined<SimulateOptions>(true);
  takesUndefined<StoreCasesOptions>(true);
  takesUndefined<SvgOptions>(true);
  takesUndefined<TestExecutorOptions>(true);
  takesUndefined<TestStoreOptions>(true);
  takesUndefined<TimelineOptions>(true);
  takesUndefined<UpdateDefinitionOptions<unknown>>(true);
  takesUndefined<UpdateHandlerOptions<unknown>>(true);
  takesUndefined<UpdateOptions>(true);
  takesUndefined<VirtualClockOptions>(true);
  takesUndefined<WaitOptions>(true);
  takesUndefined<WatchOptions>(true);
  takesUndefined<WorkflowFilter>(true);
  takesUndefined<WorkflowStateInit>(true);
}

interface Order {
  readonly id: string;
  readonly cents: number;
}

const approved = defineSignal<{ by: string }>("approved");
const progress = defineQuery<number>("progress");
const note = defineUpdate<number, string>("note");

const charge = activity(
  (order: Order, { signal, attempt }: ActivityContext) => `${order.id}, attempt ${attempt}, ${signal.aborted}`,
  { retry: { maxAttempts: 5, maxIntervalMs: undefined }, timeoutMs: undefined },
);

async function orders(ctx: WorkflowContext, order: Order): Promise<string> {
  const receipt: string = await ctx.executeActivity(charge, order, { retry: undefined });
  for await (const { by } of ctx.receiveSignal(approved)) {
    await ctx.sleep(1000);
    return `${receipt}, approved by ${by}`;
  }
  throw new TimeoutError("No approval", 1000);
}

async function nightly(ctx: WorkflowContext, { dueAt }: Occurrence): Promise<number> {
  return await ctx.sideEffect(() => dueAt);
}

const trace: Middleware = (_call, next) => next({ headers: undefined });
const counted: Hooks = { workflowCompleted: (_event, run: RunInfo) => void run.workflowId, workflowFailed: undefined };

export function traced(api: OtelApi): Middleware {
  const options: OtelOptions = { api, tracer: undefined, meter: undefined };
  return otel(options).middleware;
}

export async function main(signal: AbortSignal | undefined): Promise<readonly unknown[]> {
  const store: WorkflowStore = new InMemoryStore({ maxWorkflows: undefined });
  const workflows = { orders, nightly: schedule(nightly, { rule: every(1000, { offsetMs: undefined }) }) };
  const executor = new Executor({
    store,
    clock: undefined,
    hooks: composeHooks(counted),
    middleware: [trace],
    workflows,
  });
  const id: string | undefined = undefined;
  const handle: WorkflowHandle<string> = await executor.execute(orders, { id, input: { id: "o7", cents: 1995 } });
  await executor.signal(handle.id, approved, { by: "eve" }, { senderId: undefined });
  const percent: number = await executor.query(handle.id, progress);
  const length: number = await executor.update(handle.id, note, "late", { signal });
  const described: WorkflowDescription = await executor.describe(handle.id);
  const { history } = await executor.describe(handle.id, { history: true });
  const first: WorkflowEvent | undefined = history[0];
  try {
    await handle.result({ signal });
  } catch (error) {
    if (!(error instanceof WorkflowError) || error.code !== "not_found") throw failedActivity(error)?.name ?? error;
  }
  await executor.close({ drainMs: undefined });

  const lock = new RWLock();
  const permit = await lock.acquireRead({ signal });
  permit[Symbol.dispose]();
  const page: WorkflowPage = await new InMemoryStore().page({ cursor: undefined });
  const retryMs = retryDelayMs(defaultRetryPolicy, { attempt: 1, error: undefined, random: 0.5 });
  return [
    percent,
    length,
    first,
    page,
    retryMs,
    formatTimeline({ ...described, workflowId: handle.id, history }, { maxLines: undefined }),
    systemClock.now(),
  ];
}

export async function stores(codec: PayloadCodec): Promise<unknown> {
  const options: SqliteStoreOptions = { durability: undefined, busyTimeoutMs: undefined, pollMs: undefined, codec };
  const store = await SqliteStore.open(":memory:", options);
  const { heads } = await store.heads({ limit: undefined });
  await store.close();
  return [heads[0]?.historyLength, new Payloads(codec).write(heads, "o7")];
}

export function inObject(state: ObjectState): WorkflowObject {
  new DurableObjectStore(state.storage);
  class Base {
    constructor(_state: ObjectState) {}
  }
  const Orders = workflowObject(Base, { workflows: { orders }, resumeAfterMs: undefined, now: undefined });
  return new Orders(state);
}

export function inKv(kv: DenoKv): DenoKvStore {
  return new DenoKvStore(kv, { prefix: undefined, pollMs: undefined, leaseMs: undefined, codec: undefined });
}

export async function inPostgres(client: PostgresClient): Promise<PostgresStore> {
  return await PostgresStore.open(client, {
    schema: undefined,
    pollMs: undefined,
    leaseMs: undefined,
    codec: undefined,
  });
}

export async function onRestate(sdk: RestateSdk): Promise<RestateHandle> {
  restateServices(sdk, { workflows: { orders }, name: undefined, retentionMs: undefined, onError: undefined });
  const client = new RestateClient("http://localhost:8080", { workflows: { orders }, retryForMs: undefined });
  const handle = await client.execute(orders, { input: { id: "o7", cents: 1995 }, labels: undefined });
  await client.signal("o7", "approved", "in time", { signalId: undefined });
  return handle;
}

export async function tests(): Promise<void> {
  const executor = new TestExecutor({ activities: [replace(charge, () => "paid")], clock: new VirtualClock() });
  await executor[Symbol.asyncDispose]();
  await crashTest(orders, {
    input: { id: "o7", cents: 1995 },
    signals: [{ atMs: 0, name: "approved" }],
    check: undefined,
  });
  for (const { run } of storeCases({ reopen: undefined, connect: undefined })) await run(() => new InMemoryStore());
}

export function pages(): (request: Request) => Promise<Response> {
  const options: InspectorOptions = {
    store: new InMemoryStore(),
    executor: undefined,
    actions: undefined,
    authorize: undefined,
    redact: undefined,
  };
  return inspector(options);
}

export async function commandLine(): Promise<number> {
  const io: CliIo = {
    out: () => {},
    error: () => {},
    columns: undefined,
    color: undefined,
    signal: undefined,
    now: undefined,
  };
  return await commandLineMain(["list", "orders.db"], io);
}
