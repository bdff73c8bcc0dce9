/**
 * Every function that callers give to the facades of Temporal's test environment, worker and client, and what calls it.
 *
 * @module
 */

import {
  Connection,
  DefaultLogger,
  setModuleLoader,
  TestWorkflowEnvironment,
  Worker,
  type WorkerOptions,
} from "@rockpool/workflow/temporal/testing";
import type { Bad } from "./callbacks.ts";

/** Runs an activity in a worker. */
async function activity(options: Partial<WorkerOptions>): Promise<unknown> {
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  try {
    const activities = { act: () => Promise.resolve(1) };
    const base = { connection: env.nativeConnection, taskQueue: "q", activities };
    const worker = await Worker.create({ ...base, ...options });
    const once = { id: "a", taskQueue: "q", startToCloseTimeout: 1000, retry: { maximumAttempts: 1 } };
    return await worker.runUntil(() => env.client.activity.execute("act", once));
  } finally {
    await env.teardown();
  }
}

/** Loads workflows. */
async function load(loader: Bad): Promise<void> {
  setModuleLoader(loader);
  try {
    await Worker.create({ taskQueue: "q", workflowsPath: "workflows" });
  } finally {
    setModuleLoader(undefined);
  }
}

/** What calls each callback. */
export const TEMPORAL_TESTING: Readonly<Record<string, (bad: Bad) => unknown>> = {
  "Connection.withDeadline(body)": (bad) => Connection.lazy().withDeadline(0, bad),
  "Connection.withMetadata(body)": (bad) => Connection.lazy().withMetadata({}, bad),
  "Connection.withAbortSignal(body)": (bad) => Connection.lazy().withAbortSignal(new AbortController().signal, bad),
  "setModuleLoader(loader)": load,
  "new DefaultLogger(logFunction)": (bad) => new DefaultLogger("INFO", bad).info("line"),
  "WorkerInterceptors.activity": (bad) => activity({ interceptors: { activity: [bad] } }),
  "WorkerInterceptors.activityInbound": (bad) => activity({ interceptors: { activityInbound: [bad] } }),
  "Worker.runUntil(fnOrPromise)": async (bad) => await (await Worker.create({ taskQueue: "q" })).runUntil(bad),
};

/** Functions that nothing here calls. */
export const TEMPORAL_TESTING_NOT_CALLED: readonly string[] = [
  "Connection.withAbortSignal(_abortSignal)",
  "BundlerOptions.webpackConfigHook",
  "WorkerOptions.sinks", // those of the host: see `TemporalHostOptions.sinks`
  // A sink gets them.
  "InjectedSinkFunction.fn(args)",
  "UnsafeWorkflowInfo.now",
  "UnsafeRandomSource.random",
  "UnsafeRandomSource.uuid4",
  "UnsafeRandomSource.fillRandom",
  // Only the name of a workflow is read.
  "WorkflowClient.start(workflowTypeOrFunc)",
  "WorkflowClient.signalWithStart(workflowTypeOrFunc)",
  "WorkflowClient.execute(workflowTypeOrFunc)",
  "new WithStartWorkflowOperation(workflowTypeOrFunc)",
  "WithStartWorkflowOperation.workflowTypeOrFunc",
  // Their types follow from those of a workflow; their values are data.
  "WorkflowClient.start(options)",
  "WorkflowClient.signalWithStart(options)",
  "WorkflowClient.executeUpdateWithStart(updateOptions)",
  "WorkflowClient.startUpdateWithStart(updateOptions)",
  "WorkflowClient.execute(options)",
  "new WithStartWorkflowOperation(options)",
  "WithStartWorkflowOperation.options",
];

/** Tests wait for it, as for that of Temporal: a rejection that nobody handles ends the process. */
const REJECTS = "to its caller";

/** What hands out a promise, and what it rejects with. */
export const TEMPORAL_TESTING_METHODS: Readonly<Record<string, string>> = {
  "ActivityClient.execute": REJECTS,
  "ActivityClient.getHandle": "it returns what has them",
  "ActivityClient.start": REJECTS,
  "ActivityClient.typed": "it returns what has them",
  "ActivityHandle.cancel": REJECTS,
  "ActivityHandle.result": REJECTS,
  "ActivityHandle.terminate": REJECTS,
  "Connection.close": "it never rejects",
  "Connection.connect": REJECTS,
  "Connection.ensureConnected": "it never rejects",
  "Connection.lazy": "it returns what has them",
  "Connection.withAbortSignal": REJECTS,
  "Connection.withDeadline": REJECTS,
  "Connection.withMetadata": REJECTS,
  "InjectedSinkFunction.fn": "the user made it; Worker.options hands it back",
  "NativeConnection.connect": REJECTS,
  "Runtime.install": "it returns what has them",
  "Runtime.instance": "it returns what has them",
  "Runtime.shutdown": "it never rejects",
  "TestWorkflowEnvironment.[Symbol.asyncDispose]": REJECTS,
  "TestWorkflowEnvironment.createFromExistingServer": REJECTS,
  "TestWorkflowEnvironment.createLocal": REJECTS,
  "TestWorkflowEnvironment.createNexusEndpoint": REJECTS,
  "TestWorkflowEnvironment.createTimeSkipping": REJECTS,
  "TestWorkflowEnvironment.currentTimeMs": "it never rejects",
  "TestWorkflowEnvironment.sleep": REJECTS,
  "TestWorkflowEnvironment.teardown": REJECTS,
  "TestWorkflowEnvironment.workflowClient": "it returns what has them",
  "TypedActivityClient.execute": REJECTS,
  "TypedActivityClient.start": REJECTS,
  "WithStartWorkflowOperation.workflowHandle": "as the start; it is handled already",
  "Worker.create": REJECTS,
  "Worker.run": REJECTS,
  "Worker.runReplayHistory": REJECTS,
  "Worker.runUntil": REJECTS,
  "WorkerInterceptors.activityInbound": "the interceptor makes it",
  "WorkflowClient.count": REJECTS,
  "WorkflowClient.execute": REJECTS,
  "WorkflowClient.executeUpdateWithStart": REJECTS,
  "WorkflowClient.getHandle": "it returns what has them",
  "WorkflowClient.list": "it returns what has them",
  "WorkflowClient.result": REJECTS,
  "WorkflowClient.signalWithStart": REJECTS,
  "WorkflowClient.start": REJECTS,
  "WorkflowClient.startUpdateWithStart": REJECTS,
  "WorkflowHandle.cancel": REJECTS,
  "WorkflowHandle.describe": REJECTS,
  "WorkflowHandle.describe()": "it returns what has them",
  "WorkflowHandle.executeUpdate": REJECTS,
  "WorkflowHandle.fetchHistory": REJECTS,
  "WorkflowHandle.getUpdateHandle": "it returns what has them",
  "WorkflowHandle.query": REJECTS,
  "WorkflowHandle.queryWithOptions": REJECTS,
  "WorkflowHandle.startUpdate": REJECTS,
  "WorkflowHandle.terminate": REJECTS,
  "WorkflowUpdateHandle.result": REJECTS,
  "bundleWorkflowCode": "it never rejects",
};
