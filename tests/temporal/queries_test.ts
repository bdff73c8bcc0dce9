/** Queries of Temporal workflows on a durable store. */

import { assertEquals } from "@std/assert";
import { Executor } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { condition, defineQuery, setHandler, TemporalHost } from "@rockpool/workflow/temporal";
import { TempFolder } from "../support/temp_files.ts";

Deno.test("setHandler() answers a query that comes right after the start, also of an executor that does not run the workflow", async () => {
  const workflow = async () => {
    setHandler(defineQuery("ready"), () => "yes");
    await condition(() => false);
  };
  const host = new TemporalHost({ workflows: { workflow } });
  await using folder = new TempFolder();
  await using store = await SqliteStore.open(`${folder.path}/a.db`);
  await using runs = new Executor({ store, ...host.executorOptions });
  await using asks = new Executor({ store, ...host.executorOptions });
  await runs.execute(host.workflow("workflow"), { id: "a", input: [] });
  assertEquals([await runs.query("a", "ready"), await asks.query("a", "ready")], ["yes", "yes"]);
});
