/** What a Restate server does by itself, with a workflow of its SDK: it is what the engine of this package relies on. */

import { assertEquals } from "@std/assert";
import { freePorts } from "../../tools/free_ports.ts";
import { RestateCluster, RestateServer } from "../../tools/restate/server.ts";
import { Journal, type Mode, modules, until, Worker } from "./workers.ts";

const services = new URL("plain_services.ts", import.meta.url);

/** Starts a workflow, and waits for its result. */
async function run(server: RestateServer, key: string, ms: number): Promise<string[]> {
  const response = await fetch(`${server.ingressUrl}/Sleeper/${key}/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(ms),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return await response.json();
}

/** Starts a workflow whose caller does not wait. */
async function send(server: RestateServer, key: string, ms: number): Promise<void> {
  const response = await fetch(`${server.ingressUrl}/Sleeper/${key}/run/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(ms),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  await response.body?.cancel();
}

/** Waits for the result of a workflow. A node that is elected leader while it answers breaks the answer off. */
async function result(server: RestateServer, key: string): Promise<string[]> {
  let result: string[] | undefined;
  await until(`${key} has ended`, async () => {
    result = await attach(server, key).catch(() => undefined);
    return result !== undefined;
  });
  return result!;
}

async function attach(server: RestateServer, key: string): Promise<string[]> {
  const response = await fetch(`${server.ingressUrl}/restate/workflow/Sleeper/${key}/attach`);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return await response.json();
}

/** Waits until the server has stored that a workflow sleeps: then the step before it is finished. */
function untilAsleep(server: RestateServer, key: string): Promise<void> {
  const sql = `select j.index from sys_journal j join sys_invocation i on i.id = j.id
    where i.target_service_key = '${key}' and j.entry_type = 'Command: Sleep'`;
  // A node that is elected leader while it answers breaks the answer off.
  const answer = () => server.query(sql).catch(() => []);
  return until(`${key} sleeps`, async () => (await answer()).length > 0);
}

for (const mode of ["bidirectional", "request-response"] as Mode[]) {
  Deno.test(`RestateServer (${mode}): a workflow runs each step once`, async () => {
    using journal = new Journal();
    await using server = await RestateServer.start(modules);
    await using worker = await Worker.start(services, { mode, arg: journal.path });
    await server.registerDeployment(worker.url);
    assertEquals(await run(server, "a", 10), ["before", "after"]);
    assertEquals(journal.lines(), ["before a", "after a"]);
  });

  Deno.test(`RestateServer (${mode}): a workflow that sleeps survives kill -9 of the worker and of the server`, async () => {
    using journal = new Journal();
    await using server = await RestateServer.start(modules, { inactivityMs: 100 });
    await using worker = await Worker.start(services, { mode, arg: journal.path });
    await server.registerDeployment(worker.url);
    await send(server, "a", 1500);
    await untilAsleep(server, "a");
    const lines = journal.lines().length;
    await worker.kill();
    await server.kill();
    await server.start();
    await worker.start();
    assertEquals(await result(server, "a"), ["before", "after"]);
    assertEquals(journal.lines().indexOf("before a", lines), -1);
  });
}

Deno.test("RestateServer.startNodes() chooses other ports when another process has taken one of them", async () => {
  for (const taken of [0, 1, 2]) {
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let chosen = 0;
    const choosePorts = (count: number) => {
      const ports = freePorts(count);
      return chosen++ > 0 ? ports : ports.with(taken, other.addr.port);
    };
    const [server] = await RestateServer.startNodes(modules, 1, {}, choosePorts);
    await server[Symbol.asyncDispose]();
    assertEquals(chosen, 2);
  }
});

Deno.test("RestateCluster: a workflow that sleeps survives kill -9 of each node, one after the other", async () => {
  using journal = new Journal();
  await using cluster = await RestateCluster.start(modules);
  await using worker = await Worker.start(services, { arg: journal.path });
  await cluster.registerDeployment(worker.url);
  for (const [i, node] of cluster.nodes.entries()) {
    const other = cluster.nodes[(i + 1) % 3];
    const key = `k${i}`;
    await until("the node answers", () => send(other, key, 1500).then(() => true, () => false));
    await untilAsleep(other, key);
    const lines = journal.lines().length;
    await node.kill();
    assertEquals(await result(other, key), ["before", "after"]);
    // A step that is in flight when another node becomes the leader runs again; one that is finished does not.
    assertEquals(journal.lines().indexOf(`before ${key}`, lines), -1);
    await node.start();
  }
});
