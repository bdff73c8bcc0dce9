import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as workflows from "../../tests/temporal/facade_workflows.ts";
import { settle } from "../../tests/support/executors.ts";
import { activityInfo, cancelled, Context, log } from "../activity/mod.ts";
import { rootCause } from "../common/mod.ts";
import {
  bundleWorkflowCode,
  type Client,
  DefaultLogger,
  type LogEntry,
  Runtime,
  setModuleLoader,
  TestWorkflowEnvironment,
  Worker,
  WorkflowFailedError,
} from "./mod.ts";

const workflowsPath = import.meta.resolve("../../tests/temporal/facade_workflows.ts");

async function withEnvironment(body: (env: TestWorkflowEnvironment) => Promise<void>): Promise<void> {
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  try {
    await body(env);
  } finally {
    await env.teardown();
  }
}

Deno.test("Worker.runUntil() runs what was started before", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const handle = await client.workflow.start(workflows.nap, { workflowId: "w", taskQueue: "q", args: [50] });
    await handle.signal("ignored");
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath });
    assertEquals(await worker.runUntil(handle.result()), 50);
    assertEquals(worker.getState(), "STOPPED");
  }));

Deno.test("Worker.run() resumes what an earlier worker left", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const create = () => Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath });
    const handle = await (await create()).runUntil(() =>
      client.workflow.start(workflows.adder, { workflowId: "w", taskQueue: "q" })
    );
    assertEquals((await handle.describe()).status.name, "RUNNING");
    await (await create()).runUntil(async () => {
      assertEquals(await handle.executeUpdate(workflows.add, { args: [11] }), 11);
      assertEquals(await handle.result(), 11);
    });
  }));

Deno.test("Worker.run() runs only what belongs to its task queue, children included", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const create = (taskQueue: string) => Worker.create({ connection: nativeConnection, taskQueue, workflowsPath });
    const handle = await client.workflow.start(workflows.parent, { workflowId: "w", taskQueue: "q" });
    await (await create("other")).runUntil(async () => {
      assertEquals((await handle.describe()).historyLength, 1);
      await (await create("q")).runUntil(async () => assertEquals(await handle.result(), 1000));
    });
  }));

Deno.test("Worker.run() takes activities of another worker of the task queue", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const base = { connection: nativeConnection, taskQueue: "q" };
    const code = await Worker.create({ ...base, workflowsPath });
    const functions = await Worker.create({ ...base, activities: { slow: () => Promise.resolve("fast") } });
    const start = () => client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" });
    assertEquals(await functions.runUntil(() => code.runUntil(start)), "fast");
  }));

Deno.test("Worker.create() takes the methods of a class as activities", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    class Services {
      readonly answer = "slowly";
      slow() {
        return Promise.resolve(this.answer);
      }
    }
    const worker = await Worker.create({
      connection: nativeConnection,
      taskQueue: "q",
      workflowsPath,
      activities: new Services(),
    });
    const result = worker.runUntil(() =>
      client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" })
    );
    assertEquals(await result, "slowly");
  }));

Deno.test("Worker.create() takes a method that has the name of one of Object", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    class Services {
      toString() {
        return "services";
      }
    }
    const activities = new Services();
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath, activities });
    const result = worker.runUntil(() =>
      client.workflow.execute(workflows.inWords, { workflowId: "w", taskQueue: "q" })
    );
    assertEquals(await result, "services");
  }));

Deno.test("Worker.run() finds no activity that is only a method of every object", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const activities = { other: () => Promise.resolve("other") };
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath, activities });
    const result = worker.runUntil(() =>
      client.workflow.execute(workflows.inWords, { workflowId: "w", taskQueue: "q" })
    );
    const { cause } = await assertRejects(() => result, WorkflowFailedError);
    assertStringIncludes(rootCause(cause) ?? "", 'Cannot call activity "toString"');
  }));

Deno.test("bundleWorkflowCode() returns what a worker takes", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const workflowBundle = await bundleWorkflowCode({ workflowsPath });
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowBundle });
    const start = () => client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [1] });
    assertEquals(await worker.runUntil(start), 1);
    const foreign = { code: "exports = {}" };
    await assertRejects(() => Worker.create({ taskQueue: "q", workflowBundle: foreign }), TypeError, "workflowsPath");
  }));

Deno.test("Worker.create() takes interceptors of workflows and of activities", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(
        path,
        `export const interceptors = () => ({
          inbound: [{ execute: async (input, next) => "workflow " + await next(input) }],
        });`,
      );
      const worker = await Worker.create({
        connection: nativeConnection,
        taskQueue: "q",
        workflowsPath,
        activities: { slow: () => Promise.resolve("fast") },
        interceptors: {
          workflowModules: [path],
          activity: [() => ({ inbound: { execute: async (input, next) => `outer ${await next(input)}` } })],
          activityInbound: [() => ({ execute: async (input, next) => `inner ${await next(input)}` })],
        },
      });
      const start = () => client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" });
      assertEquals(await worker.runUntil(start), "workflow outer inner fast");
    } finally {
      await Deno.remove(path);
    }
  }));

Deno.test("Worker.run() gives activities the client and the logger of the runtime", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const lines: LogEntry[] = [];
    Runtime.install({ logger: new DefaultLogger("INFO", (entry) => lines.push(entry)) });
    try {
      const slow = async () => {
        log.info("from the activity");
        const handle = (Context.current().client as Client).workflow.getHandle("w");
        return `${(await handle.describe()).status.name} on ${activityInfo().taskQueue}`;
      };
      const options = { connection: nativeConnection, taskQueue: "q", workflowsPath, activities: { slow } };
      const worker = await Worker.create(options);
      const start = () => client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" });
      assertEquals(await worker.runUntil(start), "RUNNING on q");
      assertEquals(lines.map(({ level, message }) => `${level} ${message}`), ["INFO from the activity"]);
    } finally {
      Runtime.install({});
    }
  }));

Deno.test("Worker.shutdown() aborts activities, and the next worker repeats them", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const started = Promise.withResolvers<void>();
    const create = (slow: () => Promise<string>) =>
      Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath, activities: { slow } });
    const handle = await (await create(() => {
      started.resolve();
      return cancelled();
    })).runUntil(async () => {
      const handle = await client.workflow.start(workflows.patient, { workflowId: "w", taskQueue: "q" });
      await started.promise;
      return handle;
    });
    const second = await create(() => Promise.resolve("again"));
    assertEquals(await second.runUntil(handle.result()), "again");
  }));

Deno.test("Worker.run() ends when its activities have heeded their cancellation", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const started = Promise.withResolvers<void>();
    let cleanedUp = false;
    const slow = async () => {
      started.resolve();
      await cancelled().catch(() => {});
      await new Promise((done) => setTimeout(done, 5));
      cleanedUp = true;
    };
    const options = { connection: nativeConnection, taskQueue: "q", workflowsPath, activities: { slow } };
    await (await Worker.create(options)).runUntil(async () => {
      await client.workflow.start(workflows.patient, { workflowId: "w", taskQueue: "q" });
      await started.promise;
    });
    assertEquals(cleanedUp, true);
  }));

Deno.test("Worker.run() converts values by the payload converter of its options", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      const common = import.meta.resolve("../common/mod.ts");
      await Deno.writeTextFile(
        path,
        `import { DefaultPayloadConverter } from "${common}";
        class Doubling extends DefaultPayloadConverter {
          override toPayload(value) {
            return super.toPayload(typeof value === "number" ? 2 * value : value);
          }
        }
        export const payloadConverter = new Doubling();`,
      );
      const dataConverter = { payloadConverterPath: path };
      const options = { connection: nativeConnection, taskQueue: "q", workflowsPath, dataConverter };
      const worker = await Worker.create(options);
      const start = () => client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [5] });
      assertEquals(await worker.runUntil(start), 20); // the argument is doubled, and the result
    } finally {
      await Deno.remove(path);
    }
  }));

Deno.test("setModuleLoader() replaces how modules are loaded", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const paths: string[] = [];
    setModuleLoader((path) => {
      paths.push(path);
      return workflows;
    });
    try {
      const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath: "./here" });
      const start = () => client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [1] });
      assertEquals([await worker.runUntil(start), paths], [1, ["./here"]]);
      setModuleLoader(() => undefined);
      await assertRejects(() => Worker.create({ taskQueue: "q", workflowsPath: "./here" }), TypeError, "./here");
    } finally {
      setModuleLoader(undefined);
    }
  }));

Deno.test("Worker.create() refuses what has no counterpart", async () => {
  await assertRejects(() => Worker.create({ taskQueue: "" }), TypeError, "taskQueue");
  await assertRejects(() => Worker.create({ taskQueue: "q", plugins: [{}] }), TypeError, "plugins");
  await assertRejects(() => Worker.create({ taskQueue: "q", connection: {} as never }), TypeError, "temporal/testing");
});

Deno.test("Worker.create() says what is wrong with a workflowsPath", async () => {
  const create = (workflowsPath: string) => () => Worker.create({ taskQueue: "q", workflowsPath });
  const way = 'pass require.resolve("./workflows")';
  for (
    const [path, words] of [["./workflows", "the path must be absolute"], [
      "/none/workflows.ts",
      "there is no such module",
    ]]
  ) {
    const { message } = await assertRejects(
      create(path),
      TypeError,
      `Cannot load the workflows of "${path}": ${words}`,
    );
    assertStringIncludes(message, way);
  }
});

Deno.test("Worker.shutdown() is refused when the worker does not run", async () => {
  const worker = await Worker.create({ taskQueue: "q" });
  assertThrows(() => worker.shutdown(), TypeError, "INITIALIZED");
});

Deno.test("Worker.runUntil() rejects as its body does", () =>
  withEnvironment(async ({ nativeConnection }) => {
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q" });
    await assertRejects(() => worker.runUntil(() => Promise.reject(new Error("of the test"))), Error, "of the test");
    assertEquals(worker.getState(), "STOPPED");
  }));

Deno.test("Worker.create() names the variables that all workflows share, once", async () => {
  const lines: LogEntry[] = [];
  Runtime.install({ logger: new DefaultLogger("WARN", (entry) => lines.push(entry)) });
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, "export let count = 0;\nconst fixed = 1;\nexport const f = () => count + fixed;\n");
    for (let i = 0; i < 2; i++) await Worker.create({ taskQueue: "q", workflowsPath: path });
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0].message, "count (line 1)");
  } finally {
    Runtime.install({});
    await Deno.remove(path);
  }
});

Deno.test("Worker.runReplayHistory() replays a history of a workflow that ran here, and finds changed code", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const activities = { slow: () => Promise.resolve("fast") };
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath, activities });
    const history = await worker.runUntil(async () => {
      await client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [3] });
      return await client.workflow.getHandle("w").fetchHistory();
    });
    await Worker.runReplayHistory({ workflowsPath }, history);
    await assertRejects(() => Worker.runReplayHistory({ workflowsPath }, { events: [] }), TypeError, "fetchHistory");
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(path, "export async function nap() {}\n");
      await assertRejects(() => Worker.runReplayHistory({ workflowsPath: path }, history));
    } finally {
      await Deno.remove(path);
    }
  }));

Deno.test("Worker.runUntil() returns what its body does, also when that shuts the worker down", () =>
  withEnvironment(async ({ nativeConnection }) => {
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q" });
    const body = () => {
      worker.shutdown();
      return Promise.resolve("done");
    };
    assertEquals(await worker.runUntil(body), "done");
  }));

Deno.test("Worker.run() is refused when the worker runs already", () =>
  withEnvironment(async ({ nativeConnection }) => {
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q" });
    await worker.runUntil(async () => {
      await assertRejects(() => Promise.race([worker.run(), settle()]), TypeError, "Poller was already started");
    });
  }));

Deno.test("Worker.run() takes the activities of its own task queue before those of another", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const create = (taskQueue: string) => {
      const activities = { slow: () => Promise.resolve(taskQueue) };
      return Worker.create({ connection: nativeConnection, taskQueue, workflowsPath, activities });
    };
    const [a, b] = [await create("a"), await create("b")];
    const answer = (taskQueue: string) =>
      client.workflow.execute(workflows.patient, { workflowId: taskQueue, taskQueue });
    const answers = a.runUntil(() => b.runUntil(async () => [await answer("a"), await answer("b")]));
    assertEquals(await answers, ["a", "b"]);
  }));

Deno.test("Worker.run() does not resume what belongs to another task queue", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const handle = await client.workflow.start(workflows.nap, { workflowId: "w", taskQueue: "q", args: [1] });
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "other", workflowsPath });
    await worker.runUntil(() =>
      client.workflow.execute(workflows.nap, { workflowId: "later", taskQueue: "other", args: [1000] })
    );
    const { status, historyLength } = await handle.describe();
    assertEquals([status.name, historyLength], ["RUNNING", 1]);
  }));

Deno.test("Worker.run() gives the globals back when it ends", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    let patched: unknown;
    const activities = {
      slow: () => {
        patched = globalThis.Date;
        return Promise.resolve("fast");
      },
    };
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath, activities });
    await worker.runUntil(() => client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" }));
    assertEquals(globalThis.Date === patched, false);
  }));

Deno.test("Worker.run() cancels a workflow whose cancellation came before the worker", () =>
  withEnvironment(async ({ client, nativeConnection }) => {
    const handle = await client.workflow.start(workflows.adder, { workflowId: "w", taskQueue: "q" });
    await handle.cancel();
    const worker = await Worker.create({ connection: nativeConnection, taskQueue: "q", workflowsPath });
    await assertRejects(() => worker.runUntil(handle.result()), WorkflowFailedError, "Workflow execution cancelled");
  }));
