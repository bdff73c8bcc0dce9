/** `kill -9` of processes that run Temporal workflows on an SQLite file: other processes go on with them. */

import { assert, assertEquals } from "@std/assert";
import { Executor } from "@rockpool/workflow";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { silent } from "./support/executors.ts";
import { killRounds } from "./support/kill_rounds.ts";
import { TempFolder } from "./support/temp_files.ts";
import { worked, workHost } from "./support/temporal_work.ts";

Deno.test("TemporalHost resumes what processes have left that were killed 20 times: nothing recorded runs again, and all workflows complete", async () => {
  await using folder = new TempFolder();
  const places = ["a", "b"].map((name) => `${folder.path}/${name}.db`);
  const program = new URL("support/temporal_load.ts", import.meta.url);
  await killRounds({ program, places, open: SqliteStore.open, rounds: 20 });
  const ran = new Set<string>();
  const host = workHost((id, step) => void ran.add(`${id} ${step}`));
  for (const place of places) {
    await using store = await SqliteStore.open(place);
    const left = await store.list({ status: "running" });
    assert(left.length > 0, "nothing was running when the last process was killed");
    await using executor = new Executor({ store, logger: silent, ...host.executorOptions });
    await executor.recover();
    const isDone = (id: string, step: string) =>
      left.some(({ workflowId, history }) =>
        workflowId === id && history.some((event) => event.type === "activity_completed" && event.result === step)
      );
    // A workflow may have got its signal already.
    await Promise.allSettled(left.map(({ workflowId }) => executor.signal(workflowId, "end", [1])));
    for (const { workflowId } of left) await (await executor.handle(workflowId)).result();
    assertEquals([...ran].filter((one) => isDone(...one.split(" ") as [string, string])), []);
    for (const { status, result } of await store.list({ workflowName: "work" })) {
      assertEquals([status, result], ["completed", worked]);
    }
    const [{ workflowId }] = await store.list({ workflowName: "work" });
    assertEquals(await executor.query(workflowId, "steps"), worked.slice(0, -1));
  }
});
