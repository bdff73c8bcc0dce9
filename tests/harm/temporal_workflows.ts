/**
 * Every function that callers give to the interface of Temporal's workflows, and what calls it.
 *
 * @module
 */

import { Executor, type StartSignal } from "@rockpool/workflow";
import * as w from "@rockpool/workflow/temporal";
import { silent } from "../support/executors.ts";
import type { Bad } from "./callbacks.ts";

const signal = w.defineSignal<[number]>("signal");
const update = w.defineUpdate<number, [number]>("update");
const query = w.defineQuery<number, [number]>("query");
const activities = { act: () => Promise.resolve(1) };
const { act } = w.proxyActivities<typeof activities>({ startToCloseTimeout: 1000, retry: { maximumAttempts: 1 } });
const local = w.proxyLocalActivities<typeof activities>({ startToCloseTimeout: 1000, retry: { maximumAttempts: 1 } });
const child = () => Promise.resolve(1);

interface Sent {
  readonly signals?: readonly StartSignal[];
  /** Sends an update, and expects an answer. */
  readonly update?: string;
  readonly query?: string;
}

/** Runs a workflow, and sends something to it. */
async function run(workflow: Bad, options: Partial<w.TemporalHostOptions> = {}, sent: Sent = {}): Promise<unknown> {
  const host = new w.TemporalHost({ workflows: { workflow, child, default: child }, activities, ...options });
  const executor = new Executor({ ...host.executorOptions, logger: silent, onError: () => {} });
  try {
    const { signals = [] } = sent;
    const handle = await executor.execute(host.workflow("workflow"), { id: "a", input: [], signals });
    const answers = [
      sent.update !== undefined && handle.update(sent.update, [1]),
      sent.query !== undefined && handle.query(sent.query, 1),
    ];
    for (const answer of answers) await Promise.resolve(answer).catch(() => {});
    return await handle.result();
  } finally {
    await executor.close();
  }
}

const anySignal: Sent = { signals: [{ name: "signal", payload: [1] }] };
const wait = () => w.sleep(100);
const inbound = (interceptor: w.WorkflowInboundCallsInterceptor, sent?: Sent) =>
  run(
    async () => {
      w.setHandler(signal, () => {});
      w.setHandler(update, () => 1, { validator: (_: number) => {} });
      w.setHandler(query, () => 1);
      await wait();
    },
    { interceptors: [() => ({ inbound: [interceptor] })] },
    sent,
  );
const outbound = (interceptor: w.WorkflowOutboundCallsInterceptor, workflow: Bad) =>
  run(workflow, { interceptors: [() => ({ outbound: [interceptor] })] });
/** What is caught harms nobody: the workflow ends. */
const ended = (promise: unknown) => Promise.resolve(promise).then(() => 1, () => 2);

/** What calls each callback. */
export const TEMPORAL_WORKFLOWS: Readonly<Record<string, (bad: Bad) => unknown>> = {
  "TemporalHost.workflow(workflow)": (bad) => run(bad),
  "TemporalHostOptions.sinks": (bad) =>
    run(() => w.proxySinks<{ out: { write(): void } }>().out.write(), { sinks: { out: { write: { fn: bad } } } }),
  "TemporalHostOptions.interceptors": (bad) => run(wait, { interceptors: [bad] }),
  "WorkflowInboundCallsInterceptor.execute": (execute) => inbound({ execute }),
  "WorkflowInboundCallsInterceptor.handleUpdate": (handleUpdate) => inbound({ handleUpdate }, { update: "update" }),
  "WorkflowInboundCallsInterceptor.validateUpdate": (validateUpdate) =>
    inbound({ validateUpdate }, { update: "update" }),
  "WorkflowInboundCallsInterceptor.handleSignal": (handleSignal) => inbound({ handleSignal }, anySignal),
  "WorkflowInboundCallsInterceptor.handleQuery": (handleQuery) => inbound({ handleQuery }, { query: "query" }),
  "WorkflowOutboundCallsInterceptor.startTimer": (startTimer) => outbound({ startTimer }, wait),
  "WorkflowOutboundCallsInterceptor.scheduleActivity": (scheduleActivity) =>
    outbound({ scheduleActivity }, () => act()),
  "WorkflowOutboundCallsInterceptor.scheduleLocalActivity": (scheduleLocalActivity) =>
    outbound({ scheduleLocalActivity }, () => local.act()),
  "WorkflowOutboundCallsInterceptor.startChildWorkflowExecution": (startChildWorkflowExecution) =>
    outbound({ startChildWorkflowExecution }, () => w.executeChild(child)),
  "WorkflowOutboundCallsInterceptor.signalWorkflow": (signalWorkflow) =>
    outbound({ signalWorkflow }, () => w.getExternalWorkflowHandle("b").signal("signal")),
  "WorkflowOutboundCallsInterceptor.continueAsNew": (continueAsNew) =>
    outbound({ continueAsNew }, () => w.continueAsNew()),
  "WorkflowOutboundCallsInterceptor.getLogAttributes": (getLogAttributes) =>
    outbound({ getLogAttributes }, () => w.log.info("line")),
  "setHandler(handler)": (bad) =>
    run(
      async () => {
        w.setHandler(signal, bad);
        w.setHandler(update, bad);
        w.setHandler(query, bad);
        await wait();
      },
      {},
      { ...anySignal, update: "update", query: "query" },
    ),
  "setDefaultSignalHandler(handler)": (bad) =>
    run(
      async () => {
        w.setDefaultSignalHandler(bad);
        await wait();
      },
      {},
      anySignal,
    ),
  "setDefaultUpdateHandler(handler)": (bad) =>
    run(
      async () => {
        w.setDefaultUpdateHandler(bad);
        await wait();
      },
      {},
      { update: "__temporal_default_update" },
    ),
  "setDefaultQueryHandler(handler)": (bad) =>
    run(
      async () => {
        w.setDefaultQueryHandler(bad);
        await wait();
      },
      {},
      { query: "__temporal_default_query" },
    ),
  "UpdateHandlerOptions.validator": (validator) =>
    run(
      async () => {
        w.setHandler(update, () => 1, { validator });
        await wait();
      },
      {},
      { update: "update" },
    ),
  "CancellationScope.run(fn)": (bad) => run(() => ended(new w.CancellationScope().run(bad))),
  "CancellationScope.cancellable(fn)": (bad) => run(() => ended(w.CancellationScope.cancellable(bad))),
  "CancellationScope.nonCancellable(fn)": (bad) => run(() => ended(w.CancellationScope.nonCancellable(bad))),
  "CancellationScope.withTimeout(fn)": (bad) => run(() => ended(w.CancellationScope.withTimeout(100, bad))),
  "condition(fn)": (bad) => run(() => ended(w.condition(bad, 100))),
};

/** What hands out a promise, and why it harms nobody. */
export const TEMPORAL_WORKFLOW_METHODS: Readonly<Record<string, string>> = {
  ...because("it is that of `Run.follow`, which is quiet", [
    "condition",
    "executeChild",
    "scheduleActivity",
    "scheduleLocalActivity",
    "sleep",
    "startChild",
    "ExternalWorkflowHandle.cancel",
    "ExternalWorkflowHandle.signal",
    "ExternalWorkflowHandle.signalWithOptions",
    "getExternalWorkflowHandle",
  ]),
  ...because("it is quiet", ["CancellationScope.cancelRequested", "Trigger.promise", "Trigger.then"]),
  ...because("it rejects as the function of the user does, and a rejection in a workflow ends nothing", [
    "CancellationScope.cancellable",
    "CancellationScope.nonCancellable",
    "CancellationScope.run",
    "CancellationScope.runInContext",
    "CancellationScope.withTimeout",
    "EventGroupMarker.withScope",
    "EventGroupMarker.withScope(fn)",
    "createEventGroup",
    "continueAsNew",
    "makeContinueAsNewFunc()",
  ]),
  ...because("it is no promise", ["CancellationScope.current"]),
  ...because("the executor calls it", ["TemporalHost.workflow()"]),
  ...because("it is a function of the user", [
    ...["execute", "handleQuery", "handleSignal", "handleUpdate"].map((name) =>
      `WorkflowInboundCallsInterceptor.${name}`
    ),
    ...[
      "continueAsNew",
      "scheduleActivity",
      "scheduleLocalActivity",
      "signalWorkflow",
      "startChildWorkflowExecution",
      "startTimer",
    ].map((name) => `WorkflowOutboundCallsInterceptor.${name}`),
  ]),
};

function because(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}

/** Functions of Temporal's types that nothing here calls. */
export const TEMPORAL_WORKFLOWS_NOT_CALLED: readonly string[] = [
  "addDefaultWorkflowOptions(options)",
  "executeChild(options)",
  "executeChild(workflow)", // only its name is read
  "executeChild(workflowFunc)",
  "startChild(options)",
  "startChild(workflow)",
  "startChild(workflowFunc)",
  "CancellationScope.runInContext(fn)", // `run` calls it
  "EventGroupMarker.withScope",
  "EventGroupMarker.withScope(fn)", // whoever calls it gets what it throws
  "WorkflowRandomStream.with(fn)",
  "InjectedSinkFunction.fn", // one of `TemporalHostOptions.sinks`
  "Trigger.then(onfulfilled)", // as that of a promise
  "Trigger.then(onrejected)",
  "WorkflowDefinitionConfig.workflowDefinitionOptions",
  "WorkflowOutboundCallsInterceptor.getMetricTags",
  "continueAsNew(args)",
  "makeContinueAsNewFunc()(args)",
  "defineWorkflowOptions(fn)",
  "setWorkflowOptions(fn)",
  "setWorkflowOptions(options)",
  ...["execute", "handleUpdate", "validateUpdate", "handleSignal", "handleQuery"].map(
    (method) => `WorkflowInboundCallsInterceptor.${method}(next)`, // a function of this package
  ),
  ...[
    "startTimer",
    "scheduleActivity",
    "scheduleLocalActivity",
    "startChildWorkflowExecution",
    "signalWorkflow",
    "continueAsNew",
    "getLogAttributes",
    "getMetricTags",
  ].map((method) => `WorkflowOutboundCallsInterceptor.${method}(next)`),
  ...["activate", "concludeActivation", "dispose"].map((method) => `WorkflowInternalsInterceptor.${method}`), // refused
];
