/**
 * Every method that hands out a promise: its arguments, and which values of `KINDS` each takes.
 *
 * @module
 */

import {
  type ActivityContext,
  type AppendBatch,
  InMemoryStore,
  RWLock,
  VirtualClock,
  type WorkflowContext,
  type WorkflowHandle,
} from "@rockpool/workflow";
import { replayHistory } from "@rockpool/workflow/executor";
import { applyMiddleware } from "@rockpool/workflow/middleware";
import { DenoKvStore } from "@rockpool/workflow/deno-kv";
import { PostgresStore } from "@rockpool/workflow/postgres";
import { RestateClient } from "@rockpool/workflow/restate";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { DurableObjectStore } from "@rockpool/workflow/durable-object";
import { objectStorage } from "../support/object_storage.ts";
import { main } from "@rockpool/workflow/cli";
import { inspector } from "@rockpool/workflow/inspector";
import { Payloads } from "@rockpool/workflow/storage";
import {
  assertReplays,
  at,
  crashTest,
  explore,
  FaultyStore,
  mutants,
  pauseAt,
  repeats,
  replayReport,
  simulate,
  storeCases,
  takes,
  TestExecutor,
  whatIf,
} from "@rockpool/workflow/testing";
import { emptyClient } from "./empty_postgres.ts";
import { hostile, type World } from "./misbehaviours.ts";

/** Values of every kind. */
export const KINDS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  five: () => 5,
  half: () => 0.5,
  minus: () => -1,
  nan: () => NaN,
  bigint: () => 5n,
  empty: () => "",
  text: () => "x",
  symbol: () => Symbol("bad"),
  function: () => () => {},
  array: () => [],
  unknown: () => ({ unknown: 1 }),
  bare: () => Object.create(null),
  hostile,
  promise: () => new Promise(() => {}),
  date: () => new Date(NaN),
  signal: () => new AbortController().signal,
  fakeSignal: () => ({ aborted: false }),
};

/** The kinds that an argument takes. */
type Takes = string;

/** An argument: its name in errors, a good value, the kinds that it takes, and its properties. */
export interface Argument {
  readonly name: string;
  readonly good?: unknown;
  readonly takes: Takes;
  /** By name: the kinds that each option takes. */
  readonly options?: Readonly<Record<string, Takes>>;
}

/** What a method belongs to. */
export interface Target extends World {
  readonly ctx: WorkflowContext;
  readonly handle: WorkflowHandle;
}

/** One method. */
export interface MethodRow {
  readonly args: readonly Argument[];
  /** Where the method is found; by default the executor. */
  readonly of?: (target: Target) => unknown;
  /** Calls the function, if it is no method. */
  readonly call?: (...args: never[]) => unknown;
  /** A rejection that nobody handles does not end the process. */
  readonly quiet?: true;
  /** The test kit: it reports what is wrong in its own errors. */
  readonly reports?: true;
  /** Bad arguments throw: it returns something that holds promises. */
  readonly throws?: true;
}

// What structured clone accepts.
const storable = "undefined null true five half minus nan bigint empty text array unknown bare date fakeSignal";
const object = "bare promise"; // an object without own properties is one without options
const options = (known: Record<string, Takes>): Argument => ({
  name: "options",
  good: {},
  takes: `undefined ${object} signal date`,
  options: known,
});
const id: Argument = { name: "id", good: "a", takes: "text" };
const named = (name: string): Argument => ({ name, good: "x", takes: "text" });
const payload: Argument = { name: "payload", takes: storable };
const reason: Argument = { name: "reason", takes: "undefined empty text" };
const text = "undefined text";
const optional = "undefined empty text";
const headers = "undefined bare";
const positive = "undefined five half";
const natural = "undefined five half";
const workflow: Argument = { name: "workflow", good: () => 1, takes: "function" };
const signalOptions = options({ signalId: text, senderId: optional, headers });
const updateOptions = options({ updateId: text, headers, signal: "undefined signal" });
const retry = "undefined bare promise date signal";
const activityOptions = options({
  name: text,
  retry,
  timeoutMs: positive,
  totalTimeoutMs: positive,
  heartbeatTimeoutMs: positive,
  atMostOnce: "undefined true",
});
const childOptions = options({ id: text, timeoutMs: positive, retry, parentClosePolicy: "undefined", headers });
const scopeOptions = options({ timeoutMs: natural, waitForCanceled: "undefined true" });
const waitOptions = options({ timeoutMs: natural, withSender: "undefined true" });
const executeOptions = options({
  id: text,
  input: storable,
  labels: headers,
  headers,
  timeoutMs: positive,
  startAt: "undefined five half minus",
  startAfterMs: natural,
  onConflict: "undefined",
  signals: "undefined array",
  reuse: "undefined",
  signal: "undefined signal",
});

const ofHandle = ({ handle }: Target) => handle;
const ofContext = ({ ctx }: Target) => ctx;
const ofChild = ({ ctx }: Target) => ctx.startChild((ctx) => ctx.waitForSignal("never"));
const ofStore = ({ store }: Target) => store;
const sqlite = await SqliteStore.open(":memory:");
const ofSqlite = () => sqlite;
const kv = new DenoKvStore(await Deno.openKv(":memory:"));
const ofKv = () => kv;
const objectStore = new DurableObjectStore(objectStorage());
const inspect = inspector({ store: new InMemoryStore() });
const ofObjectStore = () => objectStore;
const postgres = await PostgresStore.open(emptyClient());
const ofPostgres = () => postgres;
/** A client that reaches no server: a bad argument is refused before. */
const restate = new RestateClient("http://localhost", {
  retryForMs: 0,
  fetch: () => Promise.reject(new Error("sent")),
});
const ofRestate = () => restate;
const ofFaulty = ({ store }: Target) => new FaultyStore(store, { members: true });
const ofClock = () => new VirtualClock({ autoAdvance: false });
const ofLock = () => new RWLock();
const ofWatch = ({ store }: Target) => store.watch();

const context = (...args: Argument[]): MethodRow => ({ args, of: ofContext, quiet: true });
const stored = {
  workflowId: "a",
  runId: "1",
  workflowName: "w",
  status: "running",
  createdAt: 0,
  updatedAt: 0,
  history: [{ type: "workflow_started", at: 0, workflowName: "w", input: 1 }],
} as never;
const state: Argument = { name: "state or workflowId", good: { workflowId: "b", status: "running" }, takes: "" };
const filter: Argument = { name: "filter", takes: `undefined ${object} signal date` };
const batch: Argument = { name: "batch or workflowId", good: {} as AppendBatch, takes: "" };
const owner: Argument = { name: "owner", good: "x", takes: "text" };
const lockOptions = options({ signal: "undefined signal" });
const ms: Argument = { name: "ms", good: 1, takes: "five half" };
const body: Argument = { name: "body", good: (_ctx: unknown) => 1, takes: "function" };

const stores = (of: (target: Target) => unknown, name: string): Record<string, MethodRow> => ({
  [`${name}.save`]: { args: [state], of },
  [`${name}.load`]: { args: [{ name: "workflowId", good: "a", takes: "text" }], of },
  [`${name}.list`]: { args: [filter], of },
  [`${name}.delete`]: { args: [{ name: "workflowId", good: "b", takes: "text" }], of },
  [`${name}.append`]: { args: [batch], of },
});

/** The optional methods of a store. */
const members = (of: (target: Target) => unknown, name: string, which = ""): Record<string, MethodRow> => ({
  [`${name}.heads${which}`]: { args: [{ ...filter, name: "options" }], of },
  [`${name}.count${which}`]: { args: [filter], of },
  [`${name}.loadSince${which}`]: {
    args: [{ name: "workflowId", good: "a", takes: "text" }, { name: "length", good: 0, takes: "five" }, {
      name: "runId",
      takes: optional,
    }],
    of,
  },
  [`${name}.deliver${which}`]: { args: [{ name: "delivery or workflowId", takes: "" }], of },
  [`${name}.claim${which}`]: { args: [{ name: "options or owner", takes: "", options: { owner: "text" } }], of },
  [`${name}.renew${which}`]: { args: [owner, { name: "leaseMs", good: 1, takes: "five half" }], of },
  [`${name}.release${which}`]: { args: [owner, { name: "workflowIds", takes: "undefined array" }], of },
});

/** The rows whose name does not match. */
const without = (name: RegExp, rows: Record<string, MethodRow>) =>
  Object.fromEntries(Object.entries(rows).filter(([place]) => !name.test(place)));

export const METHODS: Readonly<Record<string, MethodRow>> = {
  "Executor.execute": { args: [workflow, executeOptions], quiet: true },
  "Executor.executeMany": { args: [workflow, { name: "options", good: [{}], takes: "array" }], quiet: true },
  "Executor.signal": { args: [id, named("signal"), payload, signalOptions], quiet: true },
  "Executor.query": { args: [id, named("query"), { name: "args", takes: storable }], quiet: true },
  "Executor.queryState": {
    args: [{ ...state, good: stored }, named("query"), { name: "args", takes: storable }],
    quiet: true,
  },
  "Executor.update": { args: [id, named("update"), { name: "input", takes: storable }, updateOptions], quiet: true },
  "Executor.cancel": { args: [id, reason], quiet: true },
  "Executor.terminate": { args: [id, reason], quiet: true },
  "Executor.describe": { args: [id, options({ history: "undefined true" })], quiet: true },
  "Executor.handle": { args: [id], quiet: true },
  "Executor.recover": { args: [], quiet: true },
  "Executor.work": {
    args: [options({ pollMs: positive, maxRuns: "undefined five", signal: "undefined signal" })],
    quiet: true,
  },
  "Executor.close": { args: [options({ drainMs: natural })], quiet: true },
  "Executor.[Symbol.asyncDispose]": { args: [], quiet: true },
  "WorkflowHandle.result": { args: [options({ signal: "undefined signal" })], of: ofHandle, quiet: true },
  "WorkflowHandle.signal": { args: [named("signal"), payload, signalOptions], of: ofHandle, quiet: true },
  "WorkflowHandle.query": { args: [named("query"), { name: "args", takes: storable }], of: ofHandle, quiet: true },
  "WorkflowHandle.update": {
    args: [named("update"), { name: "input", takes: storable }, updateOptions],
    of: ofHandle,
    quiet: true,
  },
  "WorkflowHandle.cancel": { args: [reason], of: ofHandle, quiet: true },
  "WorkflowHandle.terminate": { args: [reason], of: ofHandle, quiet: true },
  "WorkflowHandle.describe": { args: [options({ history: "undefined true" })], of: ofHandle, quiet: true },

  "WorkflowContext.executeActivity": context(
    { name: "activity", good: () => 1, takes: "function" },
    { name: "input", takes: storable },
    activityOptions,
  ),
  "WorkflowContext.receiveSignal": {
    ...context(named("name"), options({ withSender: "undefined true" })),
    throws: true,
  },
  "WorkflowContext.sleep": context({ name: "ms", good: 1, takes: "five half" }),
  "WorkflowContext.scope": context(body, scopeOptions),
  "WorkflowContext.shield": context({ ...body, takes: "" }, scopeOptions),
  "WorkflowContext.waitForSignal": context(named("name"), waitOptions),
  "WorkflowContext.waitUntil": context(
    { name: "condition", good: () => true, takes: "function" },
    options({
      timeoutMs: natural,
    }),
  ),
  "WorkflowContext.sideEffect": context({ name: "body", good: () => 1, takes: "function" }),
  "WorkflowContext.mapConcurrent": context(
    { name: "items", good: [1], takes: "empty text array" },
    { name: "limit", good: 1, takes: "five" },
    { name: "body", good: () => 1, takes: "function" },
  ),
  "WorkflowContext.executeChild": context(workflow, { name: "input", takes: storable }, childOptions),
  "WorkflowContext.startChild": {
    ...context(workflow, { name: "input", takes: storable }, childOptions),
    throws: true,
  },
  "WorkflowContext.signalWorkflow": context(id, named("name"), payload, options({ headers })),
  "WorkflowContext.cancelWorkflow": context(id, reason),
  "WorkflowContext.continueAsNew": context({ name: "input", takes: storable }),
  // A handle is not awaited either: its promises are quiet.
  "ChildHandle.started": { args: [], of: ofChild, quiet: true },
  "ChildHandle.result": { args: [], of: ofChild, quiet: true },
  "ChildHandle.signal": { args: [named("name"), payload, options({ headers })], of: ofChild, quiet: true },
  "ChildHandle.cancel": { args: [reason], of: ofChild, quiet: true },

  ...stores(ofStore, "InMemoryStore"),
  ...members(ofStore, "InMemoryStore"),
  ...stores(ofFaulty, "FaultyStore"),
  ...members(ofFaulty, "WorkflowStore", " of a FaultyStore"),
  ...stores(ofKv, "DenoKvStore"),
  ...members(ofKv, "DenoKvStore"),
  "DenoKvStore.page": { args: [{ ...filter, name: "options" }], of: ofKv },
  "DenoKvStore.prune": {
    args: [{ ...options({ finishedBefore: "five half minus" }), name: "options or finishedBefore", takes: "" }],
    of: ofKv,
  },
  "DenoKvStore.sweep": { args: [], of: ofKv },
  "DenoKvStore.close": { args: [], of: ofKv },
  "DenoKvStore.[Symbol.asyncDispose]": { args: [], of: ofKv },
  ...stores(ofObjectStore, "DurableObjectStore"),
  ...without(/claim|renew|release/, members(ofObjectStore, "DurableObjectStore")),
  "DurableObjectStore.page": { args: [{ ...filter, name: "options" }], of: ofObjectStore },
  "DurableObjectStore.prune": {
    args: [{ ...options({ finishedBefore: "five half minus" }), name: "options or finishedBefore", takes: "" }],
    of: ofObjectStore,
  },
  ...stores(ofPostgres, "PostgresStore"),
  ...members(ofPostgres, "PostgresStore"),
  "PostgresStore.open": {
    args: [
      { name: "client", good: emptyClient(), takes: "" },
      options({ schema: "undefined text", pollMs: positive, leaseMs: positive, codec: "undefined" }),
    ],
    of: () => PostgresStore,
  },
  "PostgresStore.page": { args: [{ ...filter, name: "options" }], of: ofPostgres },
  "PostgresStore.prune": {
    args: [{ ...options({ finishedBefore: "five half minus" }), name: "options or finishedBefore", takes: "" }],
    of: ofPostgres,
  },
  "PostgresStore.close": { args: [], of: ofPostgres },
  "PostgresStore.[Symbol.asyncDispose]": { args: [], of: ofPostgres },
  "RestateClient.execute": {
    args: [
      { ...workflow, takes: "function text" },
      options({ ...executeOptions.options, labels: Object.keys(KINDS).join(" ") }),
    ], // refused as "unsupported"
    of: ofRestate,
  },
  "RestateClient.handle": { args: [id], of: ofRestate },
  "RestateClient.signal": { args: [id, named("signal"), payload, signalOptions], of: ofRestate },
  "RestateClient.query": { args: [id, named("query"), { name: "arguments", takes: storable }], of: ofRestate },
  "RestateClient.update": {
    args: [id, named("update"), { name: "input", takes: storable }, updateOptions],
    of: ofRestate,
  },
  "RestateClient.cancel": { args: [id, reason], of: ofRestate },
  "RestateClient.terminate": { args: [id, reason], of: ofRestate },
  "RestateClient.load": { args: [id], of: ofRestate },
  ...stores(ofSqlite, "SqliteStore"),
  ...members(ofSqlite, "SqliteStore"),
  "SqliteStore.open": {
    args: [
      { name: "path", good: ":memory:", takes: "text" },
      options({
        durability: "undefined",
        busyTimeoutMs: "undefined five",
        pollMs: "undefined five half",
        leaseMs: "undefined five half",
        codec: "undefined",
      }),
    ],
    of: () => SqliteStore,
  },
  "SqliteStore.page": { args: [{ ...filter, name: "options" }], of: ofSqlite },
  "SqliteStore.prune": {
    args: [{ ...options({ finishedBefore: "five half minus" }), name: "options or finishedBefore", takes: "" }],
    of: ofSqlite,
  },
  "SqliteStore.backup": { args: [{ name: "path", takes: "text" }], of: ofSqlite },
  "SqliteStore.close": { args: [], of: ofSqlite },
  "SqliteStore.[Symbol.asyncDispose]": { args: [], of: ofSqlite },
  "InMemoryStore.page": { args: [{ ...filter, name: "options" }], of: ofStore },
  "InMemoryStore.walk": { args: [filter], of: ofStore, throws: true },
  "InMemoryStore.update": {
    args: [{ name: "workflowId", good: "b", takes: "text" }, { name: "change", good: () => null, takes: "function" }],
    of: ofStore,
  },
  "InMemoryStore.snapshot": { args: [], of: ofStore },
  "InMemoryStore.restore": {
    args: [{ name: "text", good: "", takes: "" }],
    of: () => InMemoryStore,
    throws: true,
  },
  "InMemoryStore.watch": { args: [options({ id: text, signal: "undefined signal" })], of: ofStore, throws: true },
  "StoreWatch.next": { args: [], of: ofWatch },
  "StoreWatch.return": { args: [], of: ofWatch },
  "StoreWatch.[Symbol.asyncIterator]": { args: [], of: ofWatch },
  "Payloads.write": {
    args: [{ name: "value or written", takes: storable }, { name: "workflowId", good: "a", takes: "text" }],
    of: () => new Payloads(),
    throws: true,
  },
  "RWLock.read": { args: [body, lockOptions], of: ofLock },
  "RWLock.write": { args: [body, lockOptions], of: ofLock },
  "RWLock.acquireRead": { args: [lockOptions], of: ofLock },
  "RWLock.acquireWrite": { args: [lockOptions], of: ofLock },
  "VirtualClock.advance": { args: [ms], of: ofClock },
  "VirtualClock.advanceTo": { args: [{ name: "time", good: 1, takes: "five half" }], of: ofClock },
  "VirtualClock.runUntilIdle": { args: [], of: ofClock },
  "VirtualClock.whenIdle": { args: [], of: ofClock },

  "applyMiddleware": { args: [], call: () => applyMiddleware([], query, () => Promise.resolve(1), () => {}) },
  "applyMiddleware(middleware)(next)": {
    args: [{ name: "changes or unknown or aborted", takes: "undefined bare promise signal date array" }],
    quiet: true,
    call: (changes: never) => {
      let inside: Promise<unknown>;
      const outer = applyMiddleware([(_, next) => inside = next(changes)], query, () => Promise.resolve(1), () => {});
      outer.catch(() => {});
      return inside!;
    },
  },
  "assertReplays": {
    args: [
      workflow,
      { name: "histories", good: [], takes: "" },
      options({ workflows: "undefined bare", inputs: "undefined true" }),
    ],
    call: assertReplays,
    reports: true,
  },
  "replayReport": {
    args: [workflow, { name: "histories", good: [], takes: "" }, options({ workflows: "undefined bare" })],
    call: replayReport,
    reports: true,
  },
  "crashTest": { args: [workflow, options({ id: text, timeoutMs: positive })], call: crashTest, reports: true },
  "simulate": {
    args: [{ name: "scenario", good: { workflow: () => 1 }, takes: "" }, options({ seeds: "undefined five" })],
    call: simulate,
    reports: true,
  },
  "explore": {
    args: [workflow, options({ id: text, timeoutMs: positive, crashes: natural, orders: "undefined true" })],
    call: explore,
    reports: true,
  },
  "whatIf": { args: [workflow, options({ id: text, timeoutMs: positive })], call: whatIf, reports: true },
  "at": {
    args: [
      { ...workflow, takes: "function hostile" },
      { name: "history", good: stored, takes: "" },
      { name: "events", good: 1, takes: "" },
    ],
    call: (...args: Parameters<typeof at>) => at(args[0], args[1], args[2], "handlers"),
    reports: true,
  },
  "mutants": {
    args: [workflow, { name: "test", good: () => 1, takes: "function" }],
    call: mutants,
    reports: true,
  },
  "takes()": { args: [], call: () => Promise.resolve(takes(1, () => 1)(undefined, {} as ActivityContext)) },
  "pauseAt": {
    args: [{ name: "activity", good: () => 1, takes: "function text" }, { name: "side", good: "before", takes: "" }],
    call: pauseAt,
    throws: true,
  },
  "repeats()": {
    args: [],
    call: () => {
      const attempt = { workflowId: "a", idempotencyKey: "1:0", attempt: 1 } as ActivityContext;
      return repeats(new VirtualClock(), { a: [[{ result: 1 }]] })(undefined, attempt);
    },
  },
  "replayHistory": { args: [], call: () => replayHistory(() => 1, stored, {}) },
  "main": { args: [], call: () => main(["--help"], { out: () => {}, error: () => {} }) },
  "inspector()": { args: [], call: () => inspect(new Request("http://localhost/")) },
  "storeCases": {
    args: [{ ...options({ timeoutMs: positive, subscribe: "undefined true" }) }],
    call: storeCases,
    throws: true,
  },
  "StoreCase.run": {
    args: [{ name: "factory", good: () => new InMemoryStore(), takes: "function" }],
    call: storeCases()[0].run,
    reports: true,
  },
  "TestExecutor.execute": { args: [workflow], of: () => new TestExecutor() },
  "TestExecutor.handle": { args: [id], of: () => new TestExecutor() },
  "TestExecutor.recover": { args: [], of: () => new TestExecutor() },
  "TestExecutor.close": { args: [options({ drainMs: natural })], of: () => new TestExecutor() },
  "TestExecutor.use": { args: [{ name: "body", good: () => 1, takes: "function" }], of: () => TestExecutor },
};

/** Methods that are walked under another name. */
export const SAME_METHODS: Readonly<Record<string, string>> = {
  "ExecutorOptions.middleware(next)": "applyMiddleware(middleware)(next)",
  "WorkflowStore.save": "FaultyStore.save",
  "WorkflowStore.load": "FaultyStore.load",
  "WorkflowStore.list": "FaultyStore.list",
  "WorkflowStore.delete": "FaultyStore.delete",
  "WorkflowStore.append": "FaultyStore.append",
  "WorkflowStore.heads": "InMemoryStore.heads",
  "WorkflowStore.count": "InMemoryStore.count",
  "WorkflowStore.loadSince": "InMemoryStore.loadSince",
  "WorkflowStore.deliver": "InMemoryStore.deliver",
  "WorkflowStore.claim": "InMemoryStore.claim",
  "WorkflowStore.renew": "InMemoryStore.renew",
  "WorkflowStore.release": "InMemoryStore.release",
  "ActivityPause.reached": "pauseAt",
  "schedule()": "Executor.execute",
  // An object passes its arguments on; its own checks are tested in workerd.
  "workflowObject()": "Executor.execute",
  "WorkflowObject.start": "Executor.execute",
  "WorkflowObject.signal": "Executor.signal",
  "WorkflowObject.query": "Executor.query",
  "WorkflowObject.update": "Executor.update",
  "WorkflowObject.cancel": "Executor.cancel",
  "WorkflowObject.terminate": "Executor.terminate",
  "WorkflowObject.describe": "Executor.describe",
  "WorkflowObject.result": "Executor.handle",
  "WorkflowObject.fetch": "Executor.execute",
  "WorkflowObject.alarm": "Executor.recover",
  "attempts()": "WorkflowContext.executeActivity",
  "SqliteStore.transactional()": "WorkflowContext.executeActivity",
  "PostgresStore.transactional()": "WorkflowContext.executeActivity",
  "PostgresClient.transaction(body)": "WorkflowContext.executeActivity",
  "PostgresJs.begin(body)": "WorkflowContext.executeActivity",
  "StoreCase.run(factory)": "StoreCase.run",
  "testStore(test)(body)": "StoreCase.run",
};

const query = { kind: "query", workflowId: "a", name: "q", args: [] } as const;
