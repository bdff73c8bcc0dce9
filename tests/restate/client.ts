/** What callers of `RestateClient` see, beside what `examples.ts` and `context.ts` show. */

import { assertEquals, assertRejects } from "@std/assert";
import { RestateClient } from "../../engines/restate.ts";
import { CanceledError, type WorkflowError } from "../../mod.ts";
import { RestateServer } from "../../tools/restate/server.ts";
import { workflows } from "./client_services.ts";
import { Journal, type Mode, modules, until, Worker } from "./workers.ts";

const SERVICES = new URL("client_services.ts", import.meta.url);
const { approval, becomes, child, counter, fails, parent, races } = workflows;
const codeOf = (error: unknown) => (error as WorkflowError).code;

const appears = (journal: Journal, line: string) =>
  until(`${line} is in the journal`, () => journal.lines().includes(line));

/** Cancels or kills the invocation of a run, as `restate invocations` does. Waits until the server has done it. */
async function endInvocation(server: RestateServer, runId: string, how: "cancel" | "kill"): Promise<void> {
  const rows: { id: string; status: string }[] = [];
  const look = async () => {
    const sql = `select id, status from sys_invocation where target = 'rockpool.run/${runId}/run'`;
    rows.splice(0, rows.length, ...await server.query<typeof rows[number]>(sql));
    return rows.length > 0;
  };
  await until("the invocation is there", look);
  const response = await fetch(`${server.adminUrl}/invocations/${rows[0].id}/${how}`, { method: "PATCH" });
  await response.body?.cancel();
  assertEquals(response.ok, true);
  if (how === "kill") await until("it is killed", async () => await look() && rows[0].status === "completed");
}

/** One server and one worker for all tests of a mode. */
interface World {
  readonly client: RestateClient;
  readonly server: RestateServer;
  readonly journal: Journal;
}

const TESTS: Record<string, (world: World) => Promise<void>> = {
  async "execute() refuses the ID of a running workflow"({ client }) {
    await client.execute(approval, { id: "running" });
    assertEquals(await client.execute(approval, { id: "running" }).catch(codeOf), "already_running");
  },
  async "execute() refuses a workflow that the services do not have, and names those that they have"({ client }) {
    const error: WorkflowError = await client.execute("approvel", { id: "unknown" }).catch((error) => error);
    assertEquals(error.code, "unknown_workflow");
    const names = Object.keys(workflows).map((name) => `"${name}"`).join(", ");
    const words = `the services have no workflow "approvel"; they have ${names}`;
    assertEquals(error.message, `Cannot execute workflow "unknown": ${words}`);
    assertEquals(await client.handle("unknown").catch(codeOf), "not_found");
  },
  async "execute() joins, and sends its signals, with onConflict join"({ client }) {
    const first = await client.execute(approval, { id: "joined" });
    const signals = [{ name: "approve", payload: "ann" }];
    const aborted = new AbortController();
    const joins = { id: "joined", onConflict: "join", reuse: "join" } as const;
    await client.execute(approval, { ...joins, signal: aborted.signal });
    aborted.abort(); // it cancels only what it has started
    const second = await client.execute(approval, { ...joins, signals });
    assertEquals([second.runId, await second.result()], [first.runId, "ann"]);
  },
  async "execute() cancels the workflow when its signal is aborted"({ client }) {
    const controller = new AbortController();
    const handle = await client.execute(approval, { id: "aborted", signal: controller.signal });
    controller.abort(new Error("enough"));
    const error = await assertRejects(() => handle.result(), CanceledError);
    assertEquals(error.reason, "enough");
  },
  async "execute() terminates the running workflow with onConflict replace"({ client }) {
    const first = await client.execute(child, { id: "replaced", input: 60_000 });
    const second = await client.execute(child, { id: "replaced", input: 1, onConflict: "replace" });
    assertEquals(await second.result(), "no parent");
    assertEquals(await first.result().catch(codeOf), "not_found");
  },
  async "execute() replaces a finished workflow, or refuses it, as reuse says"({ client }) {
    await (await client.execute(child, { id: "reused", input: 1 })).result();
    assertEquals(
      await client.execute(child, { id: "reused", input: 1, reuse: "reject" }).catch(codeOf),
      "already_finished",
    );
    const failed = { id: "reused", input: 1, reuse: "replace-failed" } as const;
    assertEquals(await client.execute(child, failed).catch(codeOf), "already_finished");
    const joined = await client.execute(child, { id: "reused", input: 1, reuse: "join" });
    assertEquals(await joined.result(), "no parent");
    const next = await client.execute(child, { id: "reused", input: 1 });
    assertEquals([await next.result(), next.runId === joined.runId], ["no parent", false]);
  },
  async "execute() begins a workflow after startAfterMs"({ client }) {
    const handle = await client.execute(child, { id: "later", input: 1, startAfterMs: 100 });
    await handle.result();
    const [started, begun] = (await client.load("later"))!.history;
    assertEquals(begun.at - started.at >= 100, true);
  },
  async "execute() ends a workflow that takes longer than timeoutMs"({ client }) {
    const handle = await client.execute(child, { id: "slow", input: 60_000, timeoutMs: 50 });
    assertEquals(await handle.result().catch(codeOf), "timeout");
  },
  async "signal() stores a signal of one signalId once"({ client }) {
    const handle = await client.execute(approval, { id: "once" });
    await handle.signal("approve", "ann", { signalId: "s" });
    await handle.signal("approve", "bob", { signalId: "s" });
    assertEquals(await handle.result(), "ann");
    await handle.signal("approve", "bob", { signalId: "s" }); // known, also after the end
    const { history } = (await client.load("once"))!;
    assertEquals(history.filter(({ type }) => type === "signal_received").length, 1);
  },
  async "signal(), update(), query() and cancel() reject for what does not run, or was replaced"({ client }) {
    const first = await client.execute(child, { id: "over", input: 1 });
    await first.result();
    for (const id of ["over", "nobody"]) {
      assertEquals(await client.signal(id, "x").catch(codeOf), "not_found");
      assertEquals(await client.update(id, "x").catch(codeOf), "not_found");
      assertEquals(await client.cancel(id).catch(codeOf), "not_found");
      assertEquals(await client.query(id, "x").catch(codeOf), "not_found");
    }
    await client.execute(approval, { id: "over" });
    assertEquals(await first.signal("approve", "x").catch(codeOf), "not_found");
  },
  async "update() returns one answer for one updateId, also after the end"({ client }) {
    const handle = await client.execute(approval, { id: "updated" });
    assertEquals(await handle.update("add", 1, { updateId: "u" }), "waits+1");
    assertEquals(await handle.update("add", 1, { updateId: "u" }), "waits+1");
    assertEquals(await handle.query("state"), "waits+1");
    await handle.signal("approve", "ann");
    await handle.result();
    assertEquals(await handle.update("add", 1, { updateId: "u" }), "waits+1");
  },
  async "update() rejects if the workflow ends before it has a handler"({ client }) {
    const handle = await client.execute(approval, { id: "unheard" });
    const update = handle.update("unknown", 1).catch(codeOf);
    await handle.signal("approve", "ann");
    assertEquals([await update, await handle.result()], ["not_found", "ann"]);
  },
  async "query() answers beside the run and after it"({ client }) {
    const handle = await client.execute(approval, { id: "queried" });
    assertEquals(await handle.query("state"), "waits");
    await handle.signal("approve", "ann");
    await handle.result();
    assertEquals(await handle.query("state"), "approved");
    assertEquals(await handle.query("unknown").catch(codeOf), "not_found");
  },
  async "cancel() ends a workflow after its cleanup"({ client, journal }) {
    const handle = await client.execute(child, { id: "canceled", input: 60_000 });
    await handle.cancel("because");
    const error = await assertRejects(() => handle.result(), CanceledError);
    assertEquals(error.reason, "because");
    await appears(journal, "canceled cancelled");
  },
  async "terminate() ends a workflow without its cleanup"({ client, journal }) {
    const handle = await client.execute(child, { id: "terminated", input: 60_000 });
    await handle.terminate("because");
    assertEquals(await handle.result().catch(codeOf), "terminated");
    assertEquals(journal.lines().includes("terminated cancelled"), false);
  },
  async "whoever cancels an invocation in Restate cancels the workflow, with its cleanup"({ client, server, journal }) {
    const handle = await client.execute(child, { id: "by restate", input: 60_000 });
    await endInvocation(server, handle.runId, "cancel");
    assertEquals(await handle.result().catch(codeOf), "canceled");
    await appears(journal, "by restate cancelled");
  },
  async "result() rejects when somebody kills the invocation in Restate, and the workflow can be started again"(world) {
    const { client, server, journal } = world;
    const handle = await client.execute(child, { id: "killed", input: 60_000 });
    const result = handle.result().catch((error) => error);
    await endInvocation(server, handle.runId, "kill");
    const { code, message } = await result;
    assertEquals([code, message], [
      "terminated",
      'Terminated workflow "killed": its invocation was killed in Restate',
    ]);
    assertEquals(await client.signal("killed", "x").catch(codeOf), "not_found");
    const again = await client.execute(child, { id: "killed", input: 1 });
    assertEquals(await again.result(), "no parent");
    assertEquals(journal.lines().includes("killed cancelled"), false);
  },
  async "update() rejects when somebody kills the invocation in Restate"({ client, server }) {
    const handle = await client.execute(approval, { id: "killed, asked" });
    await endInvocation(server, handle.runId, "kill");
    assertEquals(await handle.update("add", 1).catch(codeOf), "not_found");
  },
  async "terminate() and cancel() end a workflow whose invocation was killed in Restate"({ client, server }) {
    for (const method of ["terminate", "cancel"] as const) {
      const handle = await client.execute(approval, { id: `killed, ${method}` });
      await endInvocation(server, handle.runId, "kill");
      await handle[method]();
      await until("it has ended", () => handle.signal("x").then(() => false, (error) => codeOf(error) === "not_found"));
    }
  },
  async "result() rejects with the error of the workflow: class name, cause and data"({ client }) {
    const handle = await client.execute(fails, { id: "failed" });
    const error = await assertRejects(() => handle.result(), Error, "not today") as Error & { code?: number };
    assertEquals([error.name, error.code, (error.cause as Error).name], ["Refused", 7, "RangeError"]);
  },
  async "describe() knows a chain by the workflow that it continues as"({ client }) {
    const handle = await client.execute(becomes, { id: "becomes" });
    assertEquals(await handle.result(), "no parent");
    assertEquals((await client.load("becomes"))!.workflowName, "child");
  },
  async "result() waits for the whole chain of continueAsNew, and signals reach its last run"({ client, journal }) {
    const handle = await client.execute(counter, { id: "chain", input: 0 });
    const result = handle.result();
    await appears(journal, "chain run 2");
    await handle.signal("line", "last");
    assertEquals(await result, "last");
  },
  async "a child is cancelled when its parent ends"({ client, journal }) {
    const handle = await client.execute(parent, { id: "left", input: "leave" });
    assertEquals(await handle.result(), "left");
    assertEquals(await (await client.handle("left-child")).result().catch(codeOf), "canceled");
    await appears(journal, "left-child cancelled");
  },
  async "a child is cancelled when its parent ends while it is being started"({ client }) {
    const handle = await client.execute(parent, { id: "hurry", input: "hurry" });
    await handle.result();
    assertEquals(await (await client.handle("hurry-child")).result().catch(codeOf), "canceled");
  },
  async "a child that is abandoned runs on, also if its parent ends at once"({ client }) {
    const handle = await client.execute(parent, { id: "gone", input: "abandon" });
    assertEquals(await handle.result(), "gone");
    assertEquals(await (await client.handle("gone-child")).result(), "gone");
  },
  async "a scope with waitForCanceled waits for the cleanup of its child"({ client, journal }) {
    const handle = await client.execute(parent, { id: "scoped", input: "scope" });
    assertEquals(await handle.result(), "CanceledError");
    assertEquals(journal.lines().includes("scoped-inner cancelled"), true);
  },
  async "activities that run side by side end in one order, also in a replay"({ client }) {
    assertEquals(await (await client.execute(races, { id: "races", input: 30 })).result(), true);
  },
};

for (const mode of ["bidirectional", "request-response"] as Mode[]) {
  Deno.test(`RestateClient (${mode})`, async (t) => {
    using journal = new Journal();
    await using server = await RestateServer.start(modules);
    await using worker = await Worker.start(SERVICES, { mode, arg: journal.path });
    await server.registerDeployment(worker.url);
    const client = new RestateClient(server.ingressUrl, { workflows });
    for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test({ client, server, journal }));
  });
}
