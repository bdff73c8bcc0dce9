/**
 * The scenarios: each file with workflow code in Temporal's public samples is run by at least one. They are written from the files of
 * the samples, and hold no code of theirs.
 *
 * It is longer than 500 lines because it is a table.
 *
 * @module
 */

import { activityInfo, ApplicationFailure } from "../../temporal/activity/mod.ts";
import { startChild } from "../../temporal/mod.ts";
import type { Fake, Scenario } from "./scenario.ts";

const DAY_MS = 86_400_000;

const greet = (name: string) => `Hello, ${name}!`;
const echo = (...args: never[]) => args.map(String).join(" ");
const nothing = () => {};

/** Fails until an attempt: by the attempt and not by the number of calls, which a crash changes. */
const failsUntil = (attempt: number, answer: unknown): Fake => () => {
  if (activityInfo().attempt < attempt) throw new Error("not yet");
  return answer;
};

/** Fails, and is not tried again. */
const refuses = (message: string): Fake => () => {
  throw ApplicationFailure.nonRetryable(message);
};

const SCOPES = "activities-cancellation-heartbeating/src/cancellation-scopes.ts";
const http = {
  httpPostJSON: nothing,
  httpGetJSON: (url: string) => ({ url }),
  cleanup: nothing,
};

const scopes: readonly Scenario[] = [
  { files: [SCOPES], workflow: "cancelTimer", tookMs: 0 },
  { files: [SCOPES], workflow: "cancelTimerAltImpl", tookMs: 0 },
  {
    name: "undisturbed",
    files: [SCOPES],
    workflow: "handleExternalWorkflowCancellationWhileActivityRunning",
    args: ["u", {}],
    activities: http,
    calls: ["httpPostJSON"],
  },
  {
    name: "cancelled",
    files: [SCOPES],
    workflow: "handleExternalWorkflowCancellationWhileActivityRunning",
    args: ["u", {}],
    activities: { ...http, httpPostJSON: failsUntil(9, undefined) },
    cancelAtMs: 1500,
    canceled: true,
    calls: ["httpPostJSON", "httpPostJSON", "cleanup"],
  },
  { files: [SCOPES], workflow: "nonCancellable", args: ["u"], activities: http, result: { url: "u" } },
  {
    name: "cancelled",
    files: [SCOPES],
    workflow: "nonCancellable",
    args: ["u"],
    activities: { ...http, httpGetJSON: failsUntil(3, "late") },
    cancelAtMs: 500,
    result: "late",
  },
  {
    name: "in time",
    files: [SCOPES],
    workflow: "multipleActivitiesSingleTimeout",
    args: [["a", "b"], 1000],
    activities: http,
    result: [{ url: "a" }, { url: "b" }],
  },
  {
    name: "too late",
    files: [SCOPES],
    workflow: "multipleActivitiesSingleTimeout",
    args: [["a", "b"], 1500],
    activities: { ...http, httpGetJSON: failsUntil(5, "late") },
    fails: "cancel",
  },
  { files: [SCOPES], workflow: "resumeAfterCancellation", args: ["u"], activities: http, result: { url: "u" } },
  {
    name: "cancelled",
    files: [SCOPES],
    workflow: "resumeAfterCancellation",
    args: ["u"],
    activities: { ...http, httpGetJSON: failsUntil(3, "late") },
    cancelAtMs: 500,
    result: "late",
  },
  { files: [SCOPES], workflow: "cancellationScopesWithCallbacks", tookMs: 10 },
  { name: "cancelled", files: [SCOPES], workflow: "cancellationScopesWithCallbacks", cancelAtMs: 5, canceled: true },
  {
    files: [SCOPES],
    workflow: "sharedScopes",
    activities: { ...http, httpGetJSON: (url: string) => url.includes("url1") ? "first" : failsUntil(9, 0)() },
    result: "first",
  },
  {
    files: [SCOPES],
    workflow: "shieldAwaitedInRootScope",
    activities: http,
    result: { url: "http://example.com" },
  },
  {
    name: "cancelled",
    files: [SCOPES],
    workflow: "shieldAwaitedInRootScope",
    activities: { ...http, httpGetJSON: failsUntil(3, "late") },
    cancelAtMs: 500,
    result: "late",
  },
];

const ORDER = "food-delivery/packages/workflows/order.ts";
const shop = { chargeCustomer: nothing, refundOrder: nothing, sendPushNotification: nothing };
const EXPENSE = "expense/src/workflows.ts";
const books = { createExpense: nothing, payment: nothing };
const WINDOW = "batch-sliding-window/src/workflows.ts";
const records = {
  getRecordCount: () => 7,
  getRecords({ offset, pageSize, maxOffset }: { offset: number; pageSize: number; maxOffset: number }) {
    const length = Math.min(pageSize, maxOffset - offset);
    return { records: Array.from({ length }, (_, i) => ({ id: offset + i })) };
  },
};
const HTTP = "activities-examples/src/workflows.ts";
const DSL = "dsl-interpreter/src/workflows.ts";
const activityStatement = (name: string, result?: string) => ({ activity: { name, arguments: ["x"], result } });
const letters = { activity1: echo, activity2: echo, activity3: echo };
const EARLY = "early-return/src/workflows.ts";
const ESM = "fetch-esm/src/workflows.ts";
const COUNTER = "message-passing/execute-update/src/workflows.ts";
const GREETING = "message-passing/introduction/src/workflows.ts";
const CLUSTER = [
  "message-passing/safe-message-handlers/src/workflows.ts",
  "message-passing/safe-message-handlers/src/cluster-manager.ts",
];
const nodes = {
  startCluster: nothing,
  shutdownCluster: nothing,
  assignNodesToJob: nothing,
  unassignNodesForJob: nothing,
};
const MUTEX = ["mutex/src/workflows.ts", "mutex/src/shared.ts"];
const BUY = "nextjs-ecommerce-oneclick/temporal/src/workflows.ts";
const till = { checkoutItem: (id: string) => `sold ${id}`, canceledPurchase: (id: string) => `canceled ${id}` };
const patching = { activityA: nothing, activityB: nothing, activityThatMustRunAfterA: nothing };
const SAGA = "saga/src/workflows.ts";
const account = { accountId: "a", bankId: "b", clientEmail: "c", address: {}, bankDetails: {} };
const bank = {
  createAccount: nothing,
  addAddress: nothing,
  addClient: nothing,
  addBankAccount: nothing,
  removeClient: nothing,
  clearPostalAddresses: nothing,
  disconnectBankAccounts: nothing,
};
const BLOCK = "signals-queries/src/workflows.ts";
const TIMER = ["timer-examples/src/workflows.ts", "timer-examples/src/updatable-timer.ts"];
const FILES = "worker-specific-task-queues/src/workflows.ts";
const file = {
  getUniqueTaskQueue: () => "queue-7",
  downloadFileToWorkerFileSystem: nothing,
  workOnFileInWorkerFileSystem: nothing,
  cleanupFileFromWorkerFileSystem: nothing,
};
const VERSIONS = "worker-versioning/src/workflows-base.ts";
const versions = { someActivity: nothing, someIncompatibleActivity: nothing };
const steps = (...names: string[]) =>
  names.map((arg, i) => ({ atMs: 10 * (i + 1), name: "do_next_signal", args: [arg] }));

/** Samples whose workflow calls `greet` and returns its answer. */
const greetings = [
  "eager-workflow-start/src/workflows.ts eagerWorkflow",
  "grpc-calls/src/workflows.ts example",
  "hello-world-js/src/workflows.js example",
  "hello-world-mtls/src/workflows.ts example",
  "hello-world/src/workflows.ts example",
  "interceptors-opentelemetry/src/workflows.ts example",
  "production/src/workflows.ts example",
].map((line): Scenario => {
  const [path, workflow] = line.split(" ");
  return { files: [path], workflow, args: ["Eve"], activities: { greet }, result: "Hello, Eve!" };
});

/** All scenarios. */
export const SCENARIOS: readonly Scenario[] = [
  ...scopes,
  ...greetings,
  {
    files: ["activities-cancellation-heartbeating/src/workflows.ts"],
    workflow: "runCancellableActivity",
    activities: { fakeProgress: nothing },
    calls: ["fakeProgress"],
  },
  {
    name: "cancelled",
    files: ["activities-cancellation-heartbeating/src/workflows.ts"],
    workflow: "runCancellableActivity",
    activities: { fakeProgress: failsUntil(9, undefined) },
    cancelAtMs: 1500,
    canceled: true,
  },
  {
    files: ["activities-dependency-injection/src/workflows.ts"],
    workflow: "dependencyWF",
    activities: { greet: (text: string) => `en ${text}`, greet_es: (text: string) => `es ${text}` },
    result: "en Hello\nes Hola",
  },
  { files: [HTTP], workflow: "httpWorkflow", activities: { makeHTTPRequest: () => "42" }, result: "The answer is 42" },
  {
    name: "the second attempt succeeds",
    files: [HTTP],
    workflow: "httpWorkflow",
    activities: { makeHTTPRequest: failsUntil(2, "88") },
    result: "The answer is 88",
  },
  {
    name: "every attempt fails",
    files: [HTTP],
    workflow: "httpWorkflow",
    activities: { makeHTTPRequest: failsUntil(9, 0) },
    fails: "not yet",
  },
  {
    files: [HTTP],
    workflow: "asyncActivityWorkflow",
    activities: { completeSomethingAsync: () => "Job's done!" },
    result: "The Peon says: Job's done!",
  },
  {
    files: [WINDOW],
    workflow: "processBatchWorkflow",
    args: [{ pageSize: 2, slidingWindowSize: 3, partitions: 2 }],
    activities: records,
    result: 7,
    compare: "outcomes", // a child that is abandoned ends in the same millisecond as its parent
  },
  {
    name: "a window that is too small",
    files: [WINDOW],
    workflow: "processBatchWorkflow",
    args: [{ pageSize: 2, slidingWindowSize: 1, partitions: 2 }],
    activities: records,
    fails: "SlidingWindowSize cannot be less",
  },
  { files: [WINDOW], workflow: "recordProcessorWorkflow", args: [{ id: 3 }], calls: [] },
  {
    files: ["child-workflows/src/workflows.ts"],
    workflow: "parentWorkflow",
    args: ["Alice", "Bob"],
    result: "I am a child named Alice\nI am a child named Bob",
  },
  {
    files: ["child-workflows/src/workflows.ts"],
    workflow: "childWorkflow",
    args: ["Alice"],
    result: "I am a child named Alice",
  },
  { files: ["continue-as-new/src/workflows.ts"], workflow: "loopingWorkflow", tookMs: 10_000 },
  {
    files: ["cron-workflows/src/workflows.ts"],
    workflow: "scheduledWorkflow",
    args: ["Eve"],
    activities: { logTime: nothing },
    calls: ["logTime"],
  },
  {
    files: ["custom-logger/src/workflows/index.ts"],
    workflow: "logSampleWorkflow",
    activities: { greet },
    calls: ["greet"],
  },
  {
    name: "a sequence",
    files: [DSL],
    workflow: "DSLInterpreter",
    args: [{
      variables: { x: "1" },
      root: { sequence: { elements: [activityStatement("activity1", "x"), activityStatement("activity2", "y")] } },
    }],
    activities: letters,
    calls: ["activity1", "activity2"],
  },
  {
    name: "branches",
    files: [DSL],
    workflow: "DSLInterpreter",
    args: [{
      variables: { x: "1" },
      root: {
        parallel: {
          branches: [activityStatement("activity1", "a"), {
            sequence: { elements: [activityStatement("activity2", "b"), activityStatement("activity3")] },
          }],
        },
      },
    }],
    activities: letters,
    calls: ["activity1", "activity2", "activity3"],
  },
  {
    files: [EARLY, "early-return/src/shared.ts"],
    workflow: "transactionWorkflow",
    updates: [{ atMs: 100, name: "get-transaction-confirmation", args: [], answer: { status: "confirmed" } }],
    result: { finalAmount: 77, status: "complete" },
  },
  {
    name: "nobody asks",
    files: [EARLY],
    workflow: "transactionWorkflow",
    result: { finalAmount: 77, status: "complete" },
  },
  {
    name: "approved",
    files: [EXPENSE],
    workflow: "expense",
    args: ["e-1"],
    activities: books,
    signals: [{ atMs: 5000, name: "approve" }],
    result: { status: "COMPLETED" },
  },
  {
    name: "rejected",
    files: [EXPENSE],
    workflow: "expense",
    args: ["e-1"],
    activities: books,
    signals: [{ atMs: 5000, name: "reject" }],
    result: { status: "REJECTED" },
  },
  {
    name: "timed out",
    files: [EXPENSE],
    workflow: "expense",
    args: ["e-1", "2 seconds"],
    activities: books,
    signals: [{ atMs: 5000, name: "approve" }],
    result: { status: "TIMED_OUT" },
  },
  { files: [ESM], workflow: "exampleLocal", args: ["Eve"], activities: { greetLocal: greet }, result: "Hello, Eve!" },
  {
    files: [ESM],
    workflow: "exampleFetch",
    args: ["Eve"],
    activities: { greetHTTP: failsUntil(3, "Hello") },
    result: "Hello",
  },
  {
    name: "delivered",
    files: [ORDER],
    workflow: "order",
    args: [2],
    activities: shop,
    signals: [{ atMs: 20_000, name: "pickedUp" }, { atMs: 40_000, name: "delivered" }],
    queries: [{ atMs: 30_000, name: "getStatus", answer: { productId: 2, state: "Picked up" } }],
    calls: ["chargeCustomer", "sendPushNotification", "sendPushNotification", "sendPushNotification"],
  },
  {
    name: "not picked up",
    files: [ORDER],
    workflow: "order",
    args: [2],
    activities: shop,
    fails: "Not picked up in time",
    calls: ["chargeCustomer", "refundOrder", "sendPushNotification"],
  },
  {
    name: "not delivered",
    files: [ORDER],
    workflow: "order",
    args: [2],
    activities: shop,
    signals: [{ atMs: 20_000, name: "pickedUp" }],
    fails: "Not delivered in time",
    calls: ["chargeCustomer", "sendPushNotification", "refundOrder", "sendPushNotification"],
  },
  {
    name: "no money",
    files: [ORDER],
    workflow: "order",
    args: [2],
    activities: { ...shop, chargeCustomer: refuses("card declined") },
    fails: "Failed to charge customer",
  },
  { name: "unknown product", files: [ORDER], workflow: "order", args: [99], activities: shop, fails: "not found" },
  {
    files: ["lambda-worker/src/workflows.ts"],
    workflow: "sampleWorkflow",
    args: ["Eve"],
    activities: { helloActivity: greet },
    result: "Hello, Eve!",
  },
  {
    files: [COUNTER],
    workflow: "counter",
    updates: [
      { atMs: 10, name: "fetchAndAdd", args: [3], answer: 0 },
      { atMs: 20, name: "fetchAndAdd", args: [4], answer: 3 },
      { atMs: 30, name: "done", args: [] },
    ],
    result: 7,
  },
  {
    name: "a negative number",
    files: [COUNTER],
    workflow: "counter",
    updates: [
      { atMs: 10, name: "fetchAndAdd", args: [-3], refused: "must not be negative" },
      { atMs: 30, name: "done", args: [] },
    ],
    result: 0,
  },
  {
    files: [GREETING],
    workflow: "greetingWorkflow",
    activities: { callGreetingService: echo },
    signals: [{ atMs: 50, name: "approve", args: [{ name: "Eve" }] }],
    queries: [{
      atMs: 10,
      name: "getLanguages",
      args: [{ includeUnsupported: false }],
      answer: ["CHINESE", "ENGLISH"],
    }],
    result: "Hello, world",
  },
  {
    name: "another language",
    files: [GREETING],
    workflow: "greetingWorkflow",
    activities: { callGreetingService: echo },
    updates: [
      { atMs: 10, name: "setLanguage", args: ["CHINESE"], answer: "ENGLISH" },
      { atMs: 20, name: "setLanguage", args: ["KLINGON"], refused: "KLINGON is not supported" },
    ],
    queries: [{ atMs: 30, name: "getLanguage", answer: "CHINESE" }],
    signals: [{ atMs: 50, name: "approve", args: [{ name: "Eve" }] }],
    result: "\u4f60\u597d\uff0c\u4e16\u754c",
  },
  {
    name: "a language from an activity",
    files: [GREETING],
    workflow: "greetingWorkflow",
    activities: { callGreetingService: () => "Ol\u00e1 mundo" },
    updates: [{ atMs: 10, name: "setLanguageUsingActivity", args: ["PORTUGUESE"], answer: "ENGLISH" }],
    signals: [{ atMs: 50, name: "approve", args: [{ name: "Eve" }] }],
    result: "Ol\u00e1 mundo",
  },
  {
    files: CLUSTER,
    workflow: "clusterManagerWorkflow",
    activities: nodes,
    signals: [{ atMs: 10, name: "startCluster" }],
    updates: [
      {
        atMs: 20,
        name: "allocateNodesToJob",
        args: [{ numNodes: 5, jobName: "j1" }],
        answer: { maxAssignedNodes: 5, assignedNodes: 5 },
      },
      {
        atMs: 30,
        name: "allocateNodesToJob",
        args: [{ numNodes: 6, jobName: "j2" }],
        answer: { maxAssignedNodes: 11, assignedNodes: 11 },
      },
      { atMs: 40, name: "deleteJob", args: [{ jobName: "j2" }] },
      { atMs: 60, name: "shutdownCluster", args: [], answer: true },
    ],
    queries: [{ atMs: 50, name: "getClusterStatus", answer: { maxAssignedNodes: 11, assignedNodes: 5 } }],
    result: { maxAssignedNodes: 11, assignedNodes: 5 },
  },
  {
    name: "more nodes than there are",
    files: CLUSTER,
    workflow: "clusterManagerWorkflow",
    activities: nodes,
    signals: [{ atMs: 10, name: "startCluster" }],
    updates: [
      {
        atMs: 20,
        name: "allocateNodesToJob",
        args: [{ numNodes: 50, jobName: "j1" }],
        refused: "Cannot assign 50 nodes",
      },
      { atMs: 60, name: "shutdownCluster", args: [], answer: true },
    ],
    result: { maxAssignedNodes: 0, assignedNodes: 0 },
  },
  {
    files: ["monorepo-folders/packages/temporal-workflows/src/workflowA/workflow.ts"],
    workflow: "WorkflowA",
    args: ["Eve"],
    activities: { activityA: (name: string) => `a ${name}`, activityB: (name: string) => `b ${name}` },
    result: "A: a Eve | B: b Eve",
  },
  {
    files: ["monorepo-folders/packages/temporal-workflows/src/workflowB/workflow.ts"],
    workflow: "WorkflowB",
    activities: { activityC: echo, activityD: echo },
    result: "WorkflowB WorkflowB",
  },
  {
    name: "one holder",
    files: MUTEX,
    workflow: "driver",
    drivers: {
      async driver() {
        const request = { initiatorId: "holder", timeoutMs: 10_000 };
        const holder = await startChild("oneAtATimeWorkflow", { workflowId: "holder", args: ["lock", 100, 5000] });
        await startChild("lockWorkflow", { workflowId: "lock", args: [[request]], parentClosePolicy: "ABANDON" });
        await holder.result();
      },
    },
    activities: {
      signalWithStartLockWorkflow: nothing,
      useAPIThatCantBeCalledInParallel: nothing,
      notifyLocked: nothing,
      notifyUnlocked: nothing,
    },
    calls: ["signalWithStartLockWorkflow", "notifyLocked", "useAPIThatCantBeCalledInParallel", "notifyUnlocked"],
  },
  {
    name: "the lock expires",
    files: MUTEX,
    workflow: "driver",
    drivers: {
      async driver() {
        const requests = [{ initiatorId: "idle", timeoutMs: 1000 }, { initiatorId: "holder", timeoutMs: 10_000 }];
        await startChild("idleWorkflow", { workflowId: "idle", parentClosePolicy: "ABANDON" });
        const holder = await startChild("oneAtATimeWorkflow", { workflowId: "holder", args: ["lock", 100, 5000] });
        await startChild("lockWorkflow", { workflowId: "lock", args: [requests], parentClosePolicy: "ABANDON" });
        await holder.result();
      },
      idleWorkflow: () => new Promise(() => {}),
    },
    activities: {
      signalWithStartLockWorkflow: nothing,
      useAPIThatCantBeCalledInParallel: nothing,
      notifyLocked: nothing,
      notifyUnlocked: nothing,
    },
    tookMs: 1000,
    calls: ["signalWithStartLockWorkflow", "notifyLocked", "useAPIThatCantBeCalledInParallel", "notifyUnlocked"],
  },
  {
    files: [
      "nestjs-exchange-rates/apps/worker/src/temporal/workflows.ts",
      "nestjs-exchange-rates/libs/shared/src/index.ts",
    ],
    workflow: "exchangeRatesWorkflow",
    activities: { getExchangeRates: () => ({ AUD: 1.27 }) },
    queries: [{ atMs: 1000, name: "getExchangeRates", answer: { AUD: 1.27 } }],
    cancelAtMs: 5 * DAY_MS,
    canceled: true,
  },
  { name: "bought", files: [BUY], workflow: "OneClickBuy", args: ["hat"], activities: till, result: "sold hat" },
  {
    name: "cancelled in time",
    files: [BUY],
    workflow: "OneClickBuy",
    args: ["hat"],
    activities: till,
    signals: [{ atMs: 1000, name: "cancelPurchase" }],
    result: "canceled hat",
  },
  ...["v1", "v2", "v3", "vFinal"].map((version): Scenario => ({
    files: [`patching-api/src/workflows-${version}.ts`],
    workflow: "myWorkflow",
    activities: patching,
    calls: version === "v1" ? ["activityA", "activityThatMustRunAfterA"] : ["activityB"],
    tookMs: DAY_MS,
  })),
  {
    files: ["polling/infrequent/src/workflows.ts"],
    workflow: "greetingWorkflow",
    args: ["Eve"],
    activities: { composeGreeting: failsUntil(4, "Hello, Eve!") },
    result: "Hello, Eve!",
  },
  {
    files: ["protobufs/src/workflows.ts"],
    workflow: "example",
    args: [{ name: "Eve", age: 2 }],
    activities: { protoActivity: ({ name }: { name: string }) => ({ sentence: name }) },
    result: { sentence: "Eve" },
  },
  {
    files: ["query-subscriptions/src/workflows/index.ts", "query-subscriptions/src/workflows/subscriptions.ts"],
    interceptors: "query-subscriptions/src/workflows/subscriptions.ts",
    workflow: "counter",
    args: [0, 3],
    activities: { publish: nothing },
    calls: ["publish", "publish", "publish"],
  },
  {
    name: "opened",
    files: [SAGA],
    workflow: "openAccount",
    args: [account],
    activities: bank,
    calls: ["createAccount", "addAddress", "addClient", "addBankAccount"],
  },
  {
    name: "the bank account fails",
    files: [SAGA],
    workflow: "openAccount",
    args: [account],
    activities: { ...bank, addBankAccount: refuses("no such bank") },
    fails: "no such bank",
    calls: ["createAccount", "addAddress", "addClient", "addBankAccount", "removeClient", "clearPostalAddresses"],
  },
  {
    name: "nothing to undo",
    files: [SAGA],
    workflow: "openAccount",
    args: [account],
    activities: { ...bank, createAccount: refuses("closed") },
    fails: "closed",
    calls: ["createAccount"],
  },
  {
    name: "an undo that fails",
    files: [SAGA],
    workflow: "openAccount",
    args: [account],
    activities: { ...bank, addBankAccount: refuses("no such bank"), removeClient: refuses("cannot undo") },
    fails: "no such bank",
    calls: ["createAccount", "addAddress", "addClient", "addBankAccount", "removeClient", "clearPostalAddresses"],
  },
  {
    files: ["schedules/src/workflows.ts"],
    workflow: "reminder",
    args: ["tea"],
    activities: { addReminderToDatabase: nothing, notifyUser: nothing },
    calls: ["addReminderToDatabase", "notifyUser"],
  },
  {
    files: ["scratchpad/scratchpad.ts"],
    workflow: "workflow",
    args: ["Eve"],
    activities: { activity: greet },
    result: "Hello, Eve!",
  },
  {
    files: ["search-attributes/src/workflows.ts"],
    workflow: "example",
    result: { CustomIntField: [1], CustomDoubleField: [3.14] },
  },
  {
    files: [BLOCK],
    workflow: "unblockOrCancel",
    queries: [{ atMs: 500, name: "isBlocked", answer: true }],
    signals: [{ atMs: 1000, name: "unblock" }],
  },
  { name: "cancelled", files: [BLOCK], workflow: "unblockOrCancel", cancelAtMs: 1000, canceled: true },
  {
    files: ["sinks/src/workflows.ts"],
    workflow: "sinkWorkflow",
    sinks: { alerter: { alert: nothing } },
    calls: ["alerter.alert"],
    result: "Hello, Temporal!",
  },
  {
    files: ["sleep-for-days/src/workflows.ts"],
    workflow: "sleepForDays",
    activities: { sendEmail: nothing },
    signals: [{ atMs: 95 * DAY_MS, name: "complete" }],
    result: "done!",
  },
  { files: ["snippets/src/workflows.ts"], workflow: "helloWorld", result: "\u{1f44b} Hello World!" },
  { files: ["snippets/src/workflows.ts"], workflow: "example", fails: "failing workflow run", maySucceed: true },
  {
    files: ["state/src/workflows.ts"],
    workflow: "trackState",
    signals: [{ atMs: 10, name: "setValue", args: ["k", 1] }, { atMs: 20, name: "setValue", args: ["k", 2] }],
    queries: [{ atMs: 15, name: "getValue", args: ["k"], answer: 1 }, {
      atMs: 25,
      name: "getValue",
      args: ["k"],
      answer: 2,
    }],
    cancelAtMs: 100,
    canceled: true,
  },
  { files: TIMER, workflow: "countdownWorkflow", tookMs: DAY_MS },
  {
    name: "another deadline",
    files: TIMER,
    workflow: "countdownWorkflow",
    signals: [{ atMs: 1000, name: "setDeadline", args: [5000] }],
    queries: [{ atMs: 500, name: "timeLeft", answer: DAY_MS }],
    tookMs: 5000,
  },
  {
    name: "fast",
    files: TIMER,
    workflow: "processOrderWorkflow",
    args: [{ orderProcessingMS: 3 * DAY_MS, sendDelayedEmailTimeoutMS: DAY_MS }],
    activities: { processOrder: nothing, sendNotificationEmail: nothing },
    result: "Order completed!",
  },
  {
    name: "slow",
    files: TIMER,
    workflow: "processOrderWorkflow",
    args: [{ orderProcessingMS: 3 * DAY_MS, sendDelayedEmailTimeoutMS: 2000 }],
    activities: { processOrder: failsUntil(4, undefined), sendNotificationEmail: nothing },
    result: "Order completed!",
  },
  {
    files: ["timer-progress/src/workflows.ts"],
    workflow: "progress",
    queries: [{ atMs: 3500, name: "getProgress", answer: 30 }],
  },
  {
    files: ["vscode-debugger/src/workflows.ts"],
    workflow: "humanVerificationWorkflow",
    args: ["task"],
    activities: { notifyHumanForVerification: nothing, collectFeedback: nothing },
    signals: [{ atMs: 1000, name: "verify" }],
    calls: ["notifyHumanForVerification", "collectFeedback"],
    tookMs: 1000 + DAY_MS,
  },
  {
    files: [FILES],
    workflow: "fileProcessingWorkflow",
    activities: file,
    calls: Object.keys(file),
  },
  {
    name: "every worker fails",
    files: [FILES],
    workflow: "fileProcessingWorkflow",
    args: [2],
    activities: { ...file, workOnFileInWorkerFileSystem: refuses("disk is full") },
    fails: "disk is full",
    calls: [...Object.keys(file), ...Object.keys(file)],
  },
  {
    files: [VERSIONS],
    workflow: "autoUpgradingWorkflowV1",
    activities: versions,
    signals: steps("do-activity", "conclude"),
    calls: ["someActivity"],
  },
  {
    files: [VERSIONS],
    workflow: "autoUpgradingWorkflowV1b",
    activities: versions,
    signals: steps("do-activity", "do-activity", "conclude"),
    calls: ["someIncompatibleActivity", "someIncompatibleActivity"],
  },
  {
    files: [VERSIONS],
    workflow: "pinnedWorkflowV1",
    activities: versions,
    signals: steps("conclude"),
    calls: ["someActivity"],
  },
  {
    files: [VERSIONS],
    workflow: "pinnedWorkflowV2",
    activities: versions,
    signals: steps("conclude"),
    calls: ["someActivity", "someIncompatibleActivity"],
  },
];
