/** Pages of runs that are strange, random or long: each view answers, and stays within its size. */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowEvent, WorkflowState, WorkflowStore } from "@rockpool/workflow";
import { inspector } from "@rockpool/workflow/inspector";
import type { PicturedRun } from "@rockpool/workflow/pictures";
import { everything, evilRuns, longRun, randomRuns, withRequests } from "../tests/support/pictured_runs.ts";

/** A store with one run, which it does not check. */
function storeOf(run: PicturedRun): WorkflowStore {
  const last = run.history[run.history.length - 1]?.at ?? 0;
  const state = { runId: "r", createdAt: run.history[0]?.at ?? 0, updatedAt: last, ...run } as WorkflowState;
  const refuse = () => Promise.reject(new Error("read-only"));
  return {
    load: () => Promise.resolve(state),
    list: () => Promise.resolve([state]),
    save: refuse,
    delete: refuse,
    append: refuse,
  };
}

/** Reads every kind of view of a run, and returns the length of the longest page. A strange history cannot be cut. */
async function readAll(run: PicturedRun, isStrange = false): Promise<number> {
  const inspect = inspector({ store: storeOf(run), now: () => 2_000_000_000_000 });
  const { length } = run.history;
  const numbers = isStrange ? [length] : [1, 2, Math.ceil(length / 2), length];
  const events = numbers.flatMap((n) => [`&e=${n}`, `&at=${n - 1}&e=${n - 1}`]);
  const views = isStrange
    ? ["", "&axis=events", ...events]
    : ["", "&axis=time", "&axis=folded", "&axis=events", "&f=failures", "&page=99", "&diff=a", ...events];
  let longest = 0;
  for (const query of ["?", ...views.map((view) => `?id=a${view}`)]) {
    const response = await inspect(new Request(`http://localhost/${query}`));
    const html = await response.text();
    const main = html.replace(/^.*<main/s, "");
    if (isStrange && query.includes("at=") && response.status === 422) continue;
    assertEquals(response.status, 200, `${query}: ${main}`);
    assertEquals(/.{30}(="-?(NaN|Infinity)|NaN%|undefined%).{30}/.exec(main)?.[0], undefined, query);
    longest = Math.max(longest, html.length);
  }
  return longest;
}

Deno.test("inspector() shows events of every type, and runs without events", async () => {
  await readAll(everything);
  await readAll(withRequests);
  await readAll({ ...everything, status: "running", history: [] });
  await readAll({ ...everything, workflowName: "", history: everything.history.slice(0, 1) });
});

Deno.test("inspector() shows random runs", async () => {
  for (const run of await randomRuns(12)) await readAll(run);
});

Deno.test("inspector() shows histories that make no sense", async () => {
  for (const run of evilRuns()) await readAll(run, true);
});

Deno.test("inspector() shows a run of 20,000 events in pages of a bounded size", async () => {
  const run = longRun(10_000, 300);
  assert(run.history.length >= 20_000, `${run.history.length} events`);
  const longest = await readAll(run);
  assert(longest < 400_000, `${longest} characters`);
});

Deno.test("inspector() shows a run with more waits than a call has arguments", async () => {
  const history: WorkflowEvent[] = [{ type: "workflow_started", at: 0, workflowName: "w" }];
  for (let seq = 0; seq < 140_000; seq++) {
    history.push({ type: "activity_started", seq, at: seq * 10 + 1, name: "a" });
    history.push({ type: "activity_completed", seq, at: seq * 10 + 5, attempt: 1 });
  }
  const inspect = inspector({ store: storeOf({ workflowId: "a", workflowName: "w", status: "running", history }) });
  const response = await inspect(new Request("http://localhost/?id=a"));
  const html = await response.text();
  assertEquals(response.status, 200, html);
});

Deno.test("inspector() draws open children that begin at the same time as one bar", async () => {
  const history: WorkflowEvent[] = [{ type: "workflow_started", at: 0, workflowName: "w" }];
  for (let seq = 0; seq < 10_000; seq++) {
    history.push({ type: "child_started", seq, at: seq, name: "k", workflowId: `k/${seq}`, closePolicy: "terminate" });
  }
  const inspect = inspector({ store: storeOf({ workflowId: "a", workflowName: "w", status: "running", history }) });
  const html = await (await inspect(new Request("http://localhost/?id=a"))).text();
  assert(html.length < 200_000, `${html.length} characters`);
});
