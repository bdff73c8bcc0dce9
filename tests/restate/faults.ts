/** What once went wrong with workflows on Restate: one test for each kind of fault, in both modes. */

import { assertEquals, assertRejects } from "@std/assert";
import { RestateClient, type RestateHandle } from "../../engines/restate.ts";
import { RestateServer, type ServerOptions } from "../../tools/restate/server.ts";
import { workflows } from "./fault_services.ts";
import { type Mode, modules, until, Worker } from "./workers.ts";

interface Place {
  readonly server: RestateServer;
  readonly client: RestateClient;
}

/** Defines a test in both modes. Whatever it does, no invocation may fail and be tried again. */
function test(name: string, body: (place: Place) => Promise<void>, options: ServerOptions = {}): void {
  for (const mode of ["bidirectional", "request-response"] as Mode[]) {
    Deno.test(`${name} (${mode})`, async () => {
      await using server = await RestateServer.start(modules, options);
      await using worker = await Worker.start(new URL("fault_services.ts", import.meta.url), { mode });
      await server.registerDeployment(worker.url);
      await body({ server, client: new RestateClient(server.ingressUrl, { workflows }) });
      assertEquals(
        await server.query("select target, last_failure from sys_invocation where last_failure is not null"),
        [],
      );
    });
  }
}

test("RestateClient.execute() returns an error that the workflow returns as a value", async ({ client }) => {
  const handle = await client.execute(workflows.errorAsValue, { id: "a" });
  const { error, data } = await handle.result();
  assertEquals([error instanceof TypeError, error.message], [true, "made here"]);
  assertEquals(data, { message: "no error", stack: "a pile", parts: { stack: 5 } });
});

test("RestateClient.execute() rejects with the stack of the activity that failed", async ({ client }) => {
  const handle = await client.execute(workflows.failedActivity, { id: "a" });
  const { cause } = await assertRejects(() => handle.result(), Error, "outer");
  assertEquals((cause as Error).stack?.includes("at breaks"), true);
});

test("RestateClient.update() returns the answer of a later run of the chain", async ({ client }) => {
  const handle = await client.execute(workflows.answersLater, { id: "a", input: 0 });
  const answer = handle.update("ask", "who", { updateId: "u" });
  await handle.signal("next");
  assertEquals(await answer, "who in run 1");
  await handle.signal("next");
  assertEquals(await handle.update("ask", "who", { updateId: "u" }), "who in run 1");
  assertEquals(await handle.update("ask", "who"), "who in run 2");
  await handle.signal("next");
  assertEquals(await handle.result(), "done");
  assertEquals(await handle.update("ask", "who", { updateId: "u" }), "who in run 1");
});

test("RestateClient.execute() replaces a workflow that continues as new all the time", async ({ client, server }) => {
  const updates: Promise<unknown>[] = [];
  const handles: RestateHandle[] = [];
  for (let i = 0; i < 5; i++) {
    const handle = await client.execute(workflows.restarts, { id: "a", input: 0, onConflict: "replace" });
    handles.push(handle);
    updates.push(handle.update("run").then((run) => typeof run, (error) => error.code));
  }
  await client.terminate("a");
  for (const answer of await Promise.all(updates)) {
    assertEquals(["number", "not_found"].includes(answer as string), true);
  }
  await assertRejects(() => handles[4].result(), Error, "Terminated");
  const open = "select target from sys_invocation where status != 'completed'";
  await until("no run is left", async () => (await server.query(open)).length === 0);
});

test("RestateClient.execute() refuses an ID that no URL can hold", async ({ client }) => {
  for (const id of [".", "..", "\ud800"]) {
    await assertRejects(() => client.execute(workflows.answersLater, { id, input: 0 }), TypeError, '"id" must be');
  }
  const handle = await client.execute(workflows.failedActivity, { id: "%2e%2e/ ?#ü" });
  await assertRejects(() => handle.result(), Error, "outer");
});

test("restateServices() refuses a bad request with the status 400", async ({ server, client }) => {
  const { id, signal } = await client.execute(workflows.answersLater, { id: "a", input: 2 });
  const requests = [
    ...["null", "5", "{}", '{"$":"Map"}', '{"name":5}'].map((body) => ["rockpool/b/start", body]),
    ...["null", '{"message":{"kind":"other"}}', '{"message":{"kind":"signal","name":5}}'].map((body) => [
      `rockpool/${id}/deliver`,
      body,
    ]),
    ["rockpool/a/end", '{"runId":"x"}'],
    ["rockpool/a/next", '{"runId":"x"}'],
    ["rockpool.run/b/run", '{"workflowId":"b","at":0,"events":[]}'],
    ["rockpool.run/b/query", "{}"],
  ];
  for (const [path, body] of requests) {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    const response = await fetch(`${server.ingressUrl}/${path}`, { ...init, signal: AbortSignal.timeout(60_000) });
    await response.body?.cancel();
    assertEquals([path, body, response.status], [path, body, 400]);
  }
  await signal("next");
});

test("WorkflowContext.random() and uuid() return the same in a replay", async ({ client }) => {
  const handle = await client.execute(workflows.draws, { id: "a" });
  const drawn = await handle.result();
  assertEquals([drawn.length, new Set((drawn as unknown[][]).flat()).size], [3, 6]);
});

/** How many messages a run has got. */
async function messagesOf(server: RestateServer, { runId }: RestateHandle): Promise<number> {
  const run = `i.target = 'rockpool.run/${runId}/run' and j.entry_type = 'Notification: Signal'`;
  return (await server.query(`select j.index from sys_journal j join sys_invocation i on i.id = j.id where ${run}`))
    .length;
}

test("RestateClient.signal() sends one message to a run for one signalId", async ({ server, client }) => {
  const handle = await client.execute(workflows.waits, { id: "a" });
  for (let i = 0; i < 3; i++) await handle.signal("other", i, { signalId: "s" });
  await handle.signal("go");
  await handle.result();
  assertEquals(await messagesOf(server, handle), 2);
});

test("RestateClient.cancel() sends one message to a run, however often it is called", async ({ server, client }) => {
  const handle = await client.execute(workflows.cleansUp, { id: "a" });
  for (let i = 0; i < 3; i++) await handle.cancel(`reason ${i}`);
  await handle.signal("go");
  await assertRejects(() => handle.result(), Error, "reason 0");
  assertEquals(await messagesOf(server, handle), 2);
});

test("RestateClient.query() answers with the ID of the workflow", async ({ client }) => {
  const handle = await client.execute(workflows.waits, { id: "a" });
  assertEquals(await handle.query("id"), "a");
  await handle.signal("go");
  await handle.result();
  assertEquals(await handle.query("id"), "a");
});

test(
  "RestateClient.query() and load() answer also if the server does not send the state with a request",
  async ({ client }) => {
    const handle = await client.execute(workflows.draws, { id: "a" });
    const drawn = await handle.result();
    assertEquals(await handle.query("drawn"), drawn);
    const { history } = (await client.load("a"))!;
    assertEquals(history.filter(({ type }) => type === "activity_completed").length, 3);
  },
  { eagerStateBytes: 0 },
);

test("WorkflowContext.sleep() of 30 days is a timer of Restate that is due then", async ({ server, client }) => {
  const handle = await client.execute(workflows.cleansUp, { id: "a" });
  const sql = `select j.entry_json as entry from sys_journal j join sys_invocation i on i.id = j.id
    where i.target = 'rockpool.run/${handle.runId}/run' and j.entry_type = 'Command: Sleep'`;
  const rows: { entry: string }[] = [];
  await until("the timer is set", async () => rows.push(...await server.query<{ entry: string }>(sql)) > 0);
  const { wake_up_time: wakesAt } = JSON.parse(rows[0].entry).Command.Sleep;
  const timer = (await client.load("a"))!.history.find(({ type }) => type === "timer_started")!;
  assertEquals(Math.round((wakesAt - timer.at) / 864_000), 3000); // hundredths of a day
  await handle.terminate();
});

for (const [policy, code] of [["cancel", "canceled"], ["terminate", "terminated"]] as const) {
  test(`WorkflowContext.startChild() with parentClosePolicy "${policy}" ends the child with its parent`, async ({ client }) => {
    for (const again of [false, true]) {
      const id = `a-${again}`;
      await (await client.execute(workflows.leaves, { id, input: { policy, again } })).result();
      const child = await client.handle(`${id}-child`);
      const error = await assertRejects(() => child.result(), Error);
      assertEquals((error as { code?: string }).code, code);
    }
  });
}

test("WorkflowContext.executeChild() waits for a child that takes longer than its first looks at its parent", async ({ client }) => {
  assertEquals(await (await client.execute(workflows.hasNappingChild, { id: "a" })).result(), 20);
});
