/**
 * Each member of the context of a workflow does on Restate what it does on an executor, or is refused. The table in `docs/engines.md` says
 * so; it is made here: `deno task restate context --write` writes it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Executor } from "../../mod.ts";
import { RestateClient } from "../../engines/restate.ts";
import { RestateServer } from "../../tools/restate/server.ts";
import { members, workflows } from "./context_services.ts";
import { type Anything, type Mode, modules, Worker } from "./workers.ts";

const SERVICES = new URL("context_services.ts", import.meta.url);
const DOCUMENT = new URL("../../docs/engines.md", import.meta.url);
const names = Object.keys(members);

/** What a caller does to each workflow, and what comes of it. */
async function play(face: Anything, name: string): Promise<unknown> {
  const handle = await face.execute(workflows[name], {
    id: `the ${name}`,
    headers: { tenant: "acme" },
    signals: [{ name: "go", payload: 1 }, { name: "go", payload: 2 }, { name: "other", payload: 3 }],
  });
  if (name === "handleUpdate") await handle.update("add", 3);
  if (name === "handleQuery") {
    assertEquals(await handle.query("state"), "answered");
    await handle.signal("queried");
  }
  return await handle.result();
}

/** The words of a refusal; `undefined` if the member works. */
const refusals = new Map<string, string>();

for (const mode of ["bidirectional", "request-response"] as Mode[]) {
  Deno.test(`WorkflowContext (${mode}): each member does what it does on an executor, or is refused`, async (t) => {
    await using server = await RestateServer.start(modules);
    await using worker = await Worker.start(SERVICES, { mode });
    await server.registerDeployment(worker.url);
    const client = new RestateClient(server.ingressUrl, { workflows });
    const quiet = { debug() {}, info() {}, warn() {}, error() {} };
    await using executor = new Executor({ workflows, logger: quiet });
    for (const name of names) {
      await t.step(name, async () => {
        const [here, there] = await Promise.all([play(executor, name), play(client, name)]) as [unknown, Anything];
        if (there?.refused === undefined) return assertEquals(there, here);
        refusals.set(name, there.refused);
      });
    }
    await t.step("labels of execute()", async () => {
      const error = await client.execute("labels", { id: "labelled", labels: { a: "b" } }).catch((error) => error);
      assertEquals(error.code, "unsupported");
      refusals.set("labels of execute()", error.message);
    });
  });
}

Deno.test("docs/engines.md says of each member of the context whether it works on Restate", async () => {
  const rows = [...names, "labels of execute()"].map((name) => {
    const words = refusals.get(name);
    return `| \`${name}\` | ${words === undefined ? "works" : `refused: ${words}`} |`;
  });
  const table = ["| Member | On Restate |", "| --- | --- |", ...rows].join("\n");
  const text = await Deno.readTextFile(DOCUMENT);
  const [before, rest] = text.split("<!-- context -->\n");
  const [found, after] = rest.split("<!-- /context -->");
  if (Deno.env.get("RESTATE_WRITE") === "yes") {
    return await Deno.writeTextFile(DOCUMENT, `${before}<!-- context -->\n\n${table}\n\n<!-- /context -->${after}`);
  }
  const cells = (table: string) =>
    table.trim().split("\n").map((row) => row.replace(/ +\| */g, "|").replace(/-+/g, "-"));
  assertEquals(cells(found), cells(table), "run: deno task restate context --write");
});
