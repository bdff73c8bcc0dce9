/**
 * Reads what Durable Objects have stored from their files, without a call: a call would wake an object.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";

/** The files of databases in a folder. */
function databasesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return databasesIn(`${folder}/${name}`);
    return name.endsWith(".sqlite") && name !== "metadata.sqlite" ? [`${folder}/${name}`] : [];
  });
}

/**
 * Waits until a workflow is completed, although nobody calls its object.
 *
 * @param folder The folder in which Miniflare keeps the objects.
 */
export async function endsUncalled(folder: string, workflowId: string): Promise<void> {
  for (const end = Date.now() + 120_000; !await isStoredAsCompleted(folder, workflowId);) {
    if (Date.now() > end) throw new Error(`Workflow "${workflowId}" has not ended without a call`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether a workflow is stored as completed. */
async function isStoredAsCompleted(folder: string, workflowId: string): Promise<boolean> {
  // Copies, because whoever opens the file of workerd would take part in its log. The log comes first: the file may get its pages.
  const copy = await Deno.makeTempDir({ prefix: "rockpool-stored-" });
  try {
    for (const path of databasesIn(folder)) {
      for (const end of ["-wal", ""]) await Deno.copyFile(`${path}${end}`, `${copy}/copy.sqlite${end}`);
      using db = new DatabaseSync(`${copy}/copy.sqlite`);
      const sql = "SELECT 1 FROM rockpool_workflows WHERE workflow_id = ? AND status = 'completed'";
      if (db.prepare(sql).get(workflowId) !== undefined) return true;
    }
  } catch {
    // It is being written.
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
  return false;
}
