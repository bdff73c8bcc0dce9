/** Options of Temporal's calls: unknown ones are refused, and the page says which have no effect. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CancellationScope,
  condition,
  defineSignal,
  defineUpdate,
  executeChild,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  TemporalHost,
} from "@rockpool/workflow/temporal";
import { MockActivityEnvironment } from "@rockpool/workflow/temporal/activity";
import {
  bundleWorkflowCode,
  Client,
  Runtime,
  TestWorkflowEnvironment,
  Worker,
} from "@rockpool/workflow/temporal/testing";
import { TestExecutor } from "@rockpool/workflow/testing";
import { type OptionTable, optionTables } from "../../temporal/common/option_tables.ts";

const hasNo = (given: string, meant: string, name = "options") =>
  `"${name}" has no option "${given}"; did you mean "${meant}"?`;

Deno.test("docs/coming-from-temporal.md lists the options without an effect, and those that are refused", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/coming-from-temporal.md", import.meta.url));
  const text = page.replaceAll(/\s+/g, " ");
  for (const [call, table] of Object.entries(optionTables as Record<string, OptionTable>)) {
    const part = (what: string, fits: (effect: unknown) => boolean) => {
      const names = Object.keys(table).filter((name) => fits(table[name]));
      return names.length === 0 ? [] : [`${what} ${names.map((name) => `\`${name}\``).join(", ")}`];
    };
    const parts = [
      ...part("refused", (effect) => typeof effect === "object"),
      ...part("no effect", (effect) => effect === "ignored"),
    ];
    if (parts.length > 0) assert(text.includes(`- ${call}: ${parts.join("; ")} `), `${call}: ${parts.join("; ")}`);
  }
});

Deno.test("proxyActivities() refuses an option that does not exist, and one of its retry policy", () => {
  const timeout = { startToCloseTimeout: 1 };
  assertThrows(
    () => proxyActivities({ ...timeout, retries: {} } as never),
    TypeError,
    `Cannot proxy activities: ${hasNo("retries", "retry")}`,
  );
  assertThrows(
    () => proxyActivities({ ...timeout, retry: { maxAttempts: 3 } } as never),
    TypeError,
    hasNo("maxAttempts", "maximumAttempts", "retry"),
  );
  assertThrows(
    () => proxyActivities({ ...timeout, cancellationType: "TRY" } as never),
    TypeError,
    '"cancellationType" must be "ABANDON", "TRY_CANCEL" or "WAIT_CANCELLATION_COMPLETED", got "TRY"',
  );
  assertThrows(() => proxyLocalActivities({ ...timeout, heartbeatTimeout: 1 } as never), TypeError, "heartbeatTimeout");
});

const calls: Readonly<Record<string, [body: () => unknown, message: string]>> = {
  "startChild": [
    () => executeChild("child", { workflowID: "c" } as never),
    `Cannot execute a child workflow "child": ${hasNo("workflowID", "workflowId")}`,
  ],
  "parentClosePolicy": [
    () => executeChild("child", { parentClosePolicy: "KILL" } as never),
    '"parentClosePolicy" must be "TERMINATE", "ABANDON" or "REQUEST_CANCEL", got "KILL"',
  ],
  "cronSchedule": [
    () => executeChild("child", { cronSchedule: "* * * * *" }),
    'Cannot execute a child workflow "child": "cronSchedule" is not supported; start the workflow without it',
  ],
  "makeContinueAsNewFunc": [
    () => makeContinueAsNewFunc({ workflowTyp: "x" } as never),
    hasNo("workflowTyp", "workflowType"),
  ],
  "setHandler": [
    () => setHandler(defineUpdate("add"), () => 1, { validate: () => {} } as never),
    `Cannot set the handler of update "add": ${hasNo("validate", "validator")}`,
  ],
  "unfinishedPolicy": [
    () => setHandler(defineSignal("add"), () => {}, { unfinishedPolicy: "WARN" } as never),
    '"unfinishedPolicy" must be "WARN_AND_ABANDON" or "ABANDON", got "WARN"',
  ],
  "CancellationScope": [
    () => new CancellationScope({ cancelable: true } as never),
    `Cannot make a scope: ${hasNo("cancelable", "cancellable")}`,
  ],
  "sleep": [() => sleep(1, { sumary: "x" } as never), `Cannot sleep: ${hasNo("sumary", "summary")}`],
  "condition": [() => condition(() => true, 1, { sumary: "x" } as never), hasNo("sumary", "summary")],
};

for (const [call, [body, message]] of Object.entries(calls)) {
  Deno.test(`TemporalHost refuses options of a workflow's calls that do not exist (${call})`, async () => {
    // deno-lint-ignore require-await -- what it throws is a rejection
    const workflow = async () => body();
    const host = new TemporalHost({ workflows: { workflow, child: () => {} } });
    await using executor = new TestExecutor(host.executorOptions);
    const handle = await executor.execute(host.workflow("workflow"), { input: [] });
    assertStringIncludes((await assertRejects(() => handle.result(), Error)).message, message);
  });
}

Deno.test("Worker.create() refuses an option that does not exist, with the name that was likely meant", async () => {
  const create = (options: object) => () => Worker.create({ taskQueue: "q", ...options } as never);
  await assertRejects(
    create({ workflowPath: "/x" }),
    TypeError,
    `Cannot create a worker: ${hasNo("workflowPath", "workflowsPath")}`,
  );
  await assertRejects(
    create({ interceptors: { workflowModule: [] } }),
    TypeError,
    hasNo("workflowModule", "workflowModules", "interceptors"),
  );
  await assertRejects(create({ dataConverter: { payloadConverter: "x" } }), TypeError, '"dataConverter" has no option');
  await assertRejects(create({ nexusServices: [{}] }), TypeError, '"nexusServices" is not supported');
  assertEquals((await create({ maxConcurrentActivityTaskExecutions: 3, plugins: [] })()).getState(), "INITIALIZED");
});

Deno.test("Client, TestWorkflowEnvironment and others refuse options that do not exist", async () => {
  assertThrows(() => new Client({ conection: undefined } as never), TypeError, hasNo("conection", "connection"));
  assertThrows(() => Runtime.install({ loger: {} } as never), TypeError, hasNo("loger", "logger"));
  const mock = () => new MockActivityEnvironment({}, { skipSleep: true } as never);
  assertThrows(mock, TypeError, hasNo("skipSleep", "skipSleeps"));
  const environment = () => TestWorkflowEnvironment.createTimeSkipping({ servers: {} } as never);
  await assertRejects(environment, TypeError, `Cannot create a test environment: ${hasNo("servers", "server")}`);
  const withClient = () => TestWorkflowEnvironment.createLocal({ client: { interceptors: { workflow: [{}] } } });
  await assertRejects(withClient, TypeError, 'Cannot create a client: "interceptors" is not supported');
  await assertRejects(() => bundleWorkflowCode({ workflowPath: "/x" } as never), TypeError, "workflowsPath");
});

Deno.test("WorkflowClient refuses options that do not exist, and unknown policies", async () => {
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  try {
    const { workflow, activity } = env.client;
    const base = { workflowId: "w", taskQueue: "q" };
    const start = (options: object) => () => workflow.start("order", { ...base, ...options } as never);
    await assertRejects(start({ arg: [] }), TypeError, `Cannot start workflow "order": ${hasNo("arg", "args")}`);
    await assertRejects(
      start({ workflowIdConflictPolicy: "USE" }),
      TypeError,
      'Cannot start workflow "w": "workflowIdConflictPolicy" must be "FAIL", "USE_EXISTING" or "TERMINATE_EXISTING", got "USE"',
    );
    await assertRejects(start({ workflowIdReusePolicy: "ALLOW" }), TypeError, '"workflowIdReusePolicy" must be');
    await assertRejects(start({ retry: { maximumAttempts: 2 } }), TypeError, '"retry" is not supported');
    await start({ retry: { maximumAttempts: 1 }, workflowTaskTimeout: "1 second" })();
    const signal = () => workflow.signalWithStart("order", { ...base, signl: "x" } as never);
    await assertRejects(signal, TypeError, hasNo("signl", "signal"));
    assertThrows(() => workflow.getHandle("w", undefined, { followRun: true } as never), TypeError, "followRuns");
    assertThrows(() => workflow.list({ queri: "x" } as never), TypeError, hasNo("queri", "query"));
    const handle = workflow.getHandle("w");
    await assertRejects(() => handle.executeUpdate("add", { arg: [1] } as never), TypeError, hasNo("arg", "args"));
    await assertRejects(() => handle.signalWithOptions("a", { arg: [1] } as never), TypeError, hasNo("arg", "args"));
    await assertRejects(() => handle.queryWithOptions("a", { arg: [1] } as never), TypeError, hasNo("arg", "args"));
    const act = () => activity.start("charge", { id: "a", taskQueue: "q", timeout: 1 } as never);
    await assertRejects(act, TypeError, 'Cannot start activity "charge"');
  } finally {
    await env.teardown();
  }
});
