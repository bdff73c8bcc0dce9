import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import * as workflows from "../../tests/temporal/facade_workflows.ts";
import { rootCause } from "../common/mod.ts";
import { DefaultLogger, type LogEntry, Runtime, TestWorkflowEnvironment, Worker, WorkflowFailedError } from "./mod.ts";

const settle = () => new Promise((done) => setTimeout(done, 1));

const workflowsPath = import.meta.resolve("../../tests/temporal/facade_workflows.ts");
const DAY_MS = 86_400_000;

function using(
  body: (
    env: TestWorkflowEnvironment,
    run: <T>(body: () => Promise<T>, activities?: object) => Promise<T>,
  ) => Promise<void>,
  make = TestWorkflowEnvironment.createTimeSkipping,
) {
  return async () => {
    const env = await make();
    try {
      await body(env, async (body, activities) => {
        const worker = await Worker.create({
          connection: env.nativeConnection,
          taskQueue: "q",
          workflowsPath,
          activities,
        });
        return await worker.runUntil(body);
      });
    } finally {
      await env.teardown();
    }
  };
}

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() skips time while a result is awaited",
  using(async (env, run) => {
    const before = await env.currentTimeMs();
    const slept = await run(() =>
      env.client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [30 * DAY_MS] })
    );
    assertEquals(slept, 30 * DAY_MS);
    assert(await env.currentTimeMs() >= before + 30 * DAY_MS);
    assert(env.supportsTimeSkipping);
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() lets time pass as real time does while no result is awaited",
  using(async (env, run) => {
    await run(async () => {
      const long = await env.client.workflow.start(workflows.nap, { workflowId: "a", taskQueue: "q", args: [DAY_MS] });
      const short = await env.client.workflow.start(workflows.nap, { workflowId: "b", taskQueue: "q", args: [20] });
      while ((await short.describe()).status.name === "RUNNING") await new Promise((done) => setTimeout(done, 1));
      assertEquals((await long.describe()).status.name, "RUNNING");
    });
  }),
);

Deno.test(
  "TestWorkflowEnvironment.sleep() moves the time at once, also in an activity",
  using(async (env, run) => {
    const slow = async () => {
      await env.sleep("2 days");
      return "done";
    };
    const before = await env.currentTimeMs();
    const result = await run(
      () => env.client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" }),
      { slow },
    );
    assertEquals(result, "done");
    assert(await env.currentTimeMs() >= before + 2 * DAY_MS);
  }),
);

Deno.test(
  "TestWorkflowEnvironment.sleep() lets an activity that runs end before it skips time",
  using(async (env, run) => {
    let isStarted = () => {};
    const started = new Promise<void>((resolve) => isStarted = resolve);
    const slow = async () => {
      isStarted();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return "done";
    };
    await run(async () => {
      const options = { workflowId: "w", taskQueue: "q" };
      const before = await env.currentTimeMs();
      const handle = await env.client.workflow.start(workflows.timedOutAfterADay, options);
      await started;
      await env.sleep("2 days");
      assertEquals((await handle.describe()).status.name, "COMPLETED");
      assertEquals(await handle.result(), "done");
      const after = await env.currentTimeMs();
      assert(after >= before + 2 * DAY_MS && after < before + 3 * DAY_MS);
    }, { slow });
  }),
);

Deno.test(
  "TestWorkflowEnvironment.sleep() stops at its time when a workflow has a later timer",
  using(async (env, run) => {
    await run(async () => {
      const before = await env.currentTimeMs();
      const start = (workflowId: string, ms: number) =>
        env.client.workflow.start(workflows.nap, { workflowId, taskQueue: "q", args: [ms] });
      const [short, long] = [await start("a", DAY_MS / 2), await start("b", 30 * DAY_MS)];
      await env.sleep("1 day");
      assertEquals((await short.describe()).status.name, "COMPLETED");
      assertEquals((await long.describe()).status.name, "RUNNING");
      assert(await env.currentTimeMs() < before + 2 * DAY_MS);
    });
  }),
);

/** An activity that naps in a workflow of its own. */
const napping = (env: TestWorkflowEnvironment, taskQueue = "q") => async (): Promise<string> => {
  const options = { workflowId: `nap ${Math.random()}`, taskQueue, args: [3 * DAY_MS] as [number] };
  return `napped ${await env.client.workflow.execute(workflows.nap, options)}`;
};

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() skips time while an activity awaits the result of another workflow",
  using(async (env, run) => {
    const start = () => env.client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" });
    const before = await env.currentTimeMs();
    assertEquals(await run(start, { slow: napping(env) }), `napped ${3 * DAY_MS}`);
    assert(await env.currentTimeMs() >= before + 3 * DAY_MS);
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() lets an activity time out that awaits the result of another workflow",
  using(async (env, run) => {
    const start = () => env.client.workflow.execute(workflows.timedOutAfterADay, { workflowId: "w", taskQueue: "q" });
    const { cause } = await assertRejects(() => run(start, { slow: napping(env) }), WorkflowFailedError);
    assertStringIncludes(rootCause(cause) ?? "", 'Activity "slow" timed out');
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() holds the time while one activity awaits a result and another one runs",
  using(async (env, run) => {
    const end = Promise.withResolvers<string>();
    const start = (workflowId: string, workflow: () => Promise<string>) =>
      env.client.workflow.execute(workflow, { workflowId, taskQueue: "q" });
    const started = Promise.withResolvers<void>();
    let calls = 0;
    const slow = () => {
      if (calls++ > 0) return napping(env)();
      started.resolve();
      return end.promise;
    };
    await run(async () => {
      const before = await env.currentTimeMs();
      const runs = start("runs", workflows.patient);
      await started.promise;
      const naps = start("naps", workflows.patient);
      for (let i = 0; i < 20; i++) await settle();
      assert(await env.currentTimeMs() < before + DAY_MS);
      end.resolve("done");
      assertEquals([await runs, await naps], ["done", `napped ${3 * DAY_MS}`]);
    }, { slow });
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() names the activity during which time does not skip",
  using(async (env, run) => {
    const said = Promise.withResolvers<LogEntry>();
    Runtime.install({ logger: new DefaultLogger("WARN", said.resolve) });
    try {
      const slow = async () => (await said.promise).message;
      const start = () => env.client.workflow.execute(workflows.patient, { workflowId: "w", taskQueue: "q" });
      assertEquals(
        await run(start, { slow }),
        'A result is awaited, and time does not skip while an activity runs: run "w" (patient) waits for activity "slow" (attempt 1 is running)',
      );
    } finally {
      Runtime.install({});
    }
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createLocal() has real time",
  using(async (env, run) => {
    const before = Date.now();
    await run(() => env.client.workflow.execute(workflows.nap, { workflowId: "w", taskQueue: "q", args: [30] }));
    assert(Date.now() - before >= 29);
    const [from, now, to] = [Date.now(), await env.currentTimeMs(), Date.now()];
    assert(now >= from && now <= to, `${now} is not between ${from} and ${to}`);
    assert(!env.supportsTimeSkipping);
  }, TestWorkflowEnvironment.createLocal),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() says what workflows wait for when an awaited result cannot come",
  using(async (env, run) => {
    const said = Promise.withResolvers<LogEntry>();
    Runtime.install({ logger: new DefaultLogger("WARN", said.resolve) });
    try {
      await run(async () => {
        const handle = await env.client.workflow.start(workflows.order, { workflowId: "w", taskQueue: "q", args: [5] });
        const result = handle.result();
        const { message } = await said.promise;
        assertStringIncludes(message, 'run "w" (order) waits for');
        await handle.signal(workflows.approve, { by: "eve" });
        assertEquals(await result, "5 cents, approved by eve");
      }, { charge: (cents: number) => Promise.resolve(`${cents} cents`) });
    } finally {
      Runtime.install({});
    }
  }),
);

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() says why a workflow does not run: a wrong name, or a task queue without a worker",
  using(async (env, run) => {
    const said = Promise.withResolvers<LogEntry>();
    Runtime.install({
      logger: new DefaultLogger("WARN", (entry) => entry.message.startsWith("A result") && said.resolve(entry)),
    });
    try {
      const start = (type: string, taskQueue: string) =>
        env.client.workflow.start(type, { workflowId: taskQueue, taskQueue, args: [] });
      const results = [await start("odrer", "q"), await start("order", "other")].map(({ result }) => result);
      await run(async () => {
        for (const result of results) result().catch(() => {});
        const { message } = await said.promise;
        assertStringIncludes(message, 'the worker of task queue "q" has no workflow "odrer"; it has "');
        assertStringIncludes(message, 'no worker of task queue "other" runs; there are workers of "q"');
      });
    } finally {
      Runtime.install({});
    }
  }),
);

Deno.test("TestWorkflowEnvironment.createFromExistingServer() is refused", async () => {
  await assertRejects(() => TestWorkflowEnvironment.createFromExistingServer(), TypeError, "call createLocal()");
});

Deno.test("TestWorkflowEnvironment.teardown() suspends what runs", async () => {
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  const worker = await Worker.create({ connection: env.nativeConnection, taskQueue: "q", workflowsPath });
  await worker.runUntil(() =>
    env.client.workflow.start(workflows.nap, { workflowId: "w", taskQueue: "q", args: [DAY_MS] })
  );
  await env.teardown();
});

Deno.test("TestWorkflowEnvironment.teardown() ends workers, and runUntil() says so", async () => {
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  const options = { connection: env.nativeConnection, taskQueue: "q", workflowsPath };
  const worker = await Worker.create(options);
  const ended = assertRejects(
    () =>
      worker.runUntil(async () => {
        await env.client.workflow.start(workflows.nap, { workflowId: "w", taskQueue: "q", args: [DAY_MS] });
        await env.teardown();
        await new Promise(() => {});
      }),
    Error,
    "Cannot run the worker until the promise has settled: the worker was shut down, or its environment torn down",
  );
  await ended;
  assertEquals(worker.getState(), "STOPPED");
});

Deno.test("TestWorkflowEnvironment.teardown() refuses later starts and workers, which would wait for ever", async () => {
  const { Date: NativeDate } = globalThis;
  const env = await TestWorkflowEnvironment.createTimeSkipping();
  const worker = await Worker.create({ connection: env.nativeConnection, taskQueue: "q", workflowsPath });
  await env.teardown();
  const start = () => env.client.workflow.start(workflows.nap, { workflowId: "w", taskQueue: "q", args: [1] });
  await assertRejects(start, Error, 'Cannot start workflow "nap": the test environment is torn down');
  await assertRejects(() => worker.run(), Error, "Cannot run a worker: the test environment is torn down");
  assertEquals([worker.getState(), globalThis.Date], ["FAILED", NativeDate]);
});

Deno.test(
  "TestWorkflowEnvironment.createTimeSkipping() holds the time again when an awaited result has come",
  using(async (env, run) => {
    await run(async () => {
      const nap = (workflowId: string, ms: number) =>
        env.client.workflow.start(workflows.nap, { workflowId, taskQueue: "q", args: [ms] });
      assertEquals(await (await nap("a", 30 * DAY_MS)).result(), 30 * DAY_MS);
      const [long, short] = [await nap("b", DAY_MS), await nap("c", 20)];
      while ((await short.describe()).status.name === "RUNNING") await new Promise((done) => setTimeout(done, 1));
      assertEquals((await long.describe()).status.name, "RUNNING");
    });
  }),
);
