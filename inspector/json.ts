/**
 * What the inspector shows as JSON, for programs such as the command line. It is guarded, authorized and redacted as the pages are.
 *
 * - `?json`: a page of runs, newest first, with what each waits for. Filters: `status` (repeated), `name`, `label=KEY=VALUE`
 *   (repeated), `prefix` of the ID, `after` (created later than this time), `limit` and `cursor`.
 * - `?json&id=ID`: a run with its history, and the token of its actions, if there are any.
 * - A POST with the header `accept: application/json`: what came of an action.
 *
 * Values have the form of golden histories, which keeps their types.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import type { WorkflowFilter, WorkflowStatus } from "../types.ts";
import { showValue } from "../util/show_value.ts";
import type { Guard } from "./guard.ts";
import type { Reader, RowPage } from "./reader.ts";
import { redactState } from "./redact.ts";
import type { Settings } from "./settings.ts";

const MAX_RUNS = 1_000;

/** The answer to `?json`. */
export async function jsonResponse(
  { searchParams }: URL,
  id: string | undefined,
  settings: Settings,
  guard: Guard,
  reader: Reader,
): Promise<Response> {
  const open = reader.openRuns();
  const waitsFor = (workflowId: string, runId: string) => {
    const run = open.get(workflowId);
    return run?.runId === runId ? { waitsFor: run.waitsFor } : {};
  };
  if (id === undefined) {
    const limit = Math.min(MAX_RUNS, Number(searchParams.get("limit")) || 100);
    let page: RowPage;
    try {
      page = await reader.page(filterOf(searchParams), limit, searchParams.get("cursor") ?? undefined);
    } catch (error) {
      // A store refuses a status, a limit or a cursor that it does not know.
      if (error instanceof TypeError || error instanceof RangeError) return json(400, { error: error.message });
      throw error;
    }
    const { rows, cursor } = page;
    const runs = rows.map(({ head, state }) => ({
      head: encode(head, "list runs"),
      ...(state !== undefined && head.status === "running" && { history: encode(state.history, "list runs") }),
      ...waitsFor(head.workflowId, head.runId),
    }));
    return json(200, { format: "rockpool-runs", version: 1, runs, ...(cursor !== undefined && { cursor }) });
  }
  const stored = await reader.stored(id);
  if (stored === null) return json(404, { error: "There is no such workflow" });
  return json(200, {
    format: "rockpool-run",
    version: 1,
    state: encode(redactState(settings.redact, stored), "show a run"),
    ...waitsFor(id, stored.runId),
    ...(settings.actions && { token: await guard.token(id) }),
  });
}

/** Whether the sender of a POST is a program. */
export function wantsJson(request: Request): boolean {
  return request.headers.get("accept") === "application/json";
}

/** What came of an action. The values are redacted. */
export function jsonOutcome(status: number, error: unknown, answer: unknown): Response {
  if (status !== 200) {
    const { message } = Object(error) as { readonly message?: unknown };
    return json(status, { error: typeof message === "string" ? message : showValue(error) });
  }
  return json(status, { format: "rockpool-outcome", version: 1, answer: encode(answer, "write the answer") ?? null });
}

function filterOf(parameters: URLSearchParams): WorkflowFilter {
  const status = parameters.getAll("status") as WorkflowStatus[];
  const labels = parameters.getAll("label").map((label) => /^([^=]*)=?([^]*)$/.exec(label)!.slice(1));
  const [name, prefix, after] = ["name", "prefix", "after"].map((key) => parameters.get(key));
  return {
    ...(status.length > 0 && { status }),
    ...(name && { workflowName: name }),
    ...(prefix && { idPrefix: prefix }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(after && Number.isFinite(Number(after)) && { createdAfter: Number(after) }),
  };
}

function json(status: number, body: unknown): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { "content-type": "application/json; charset=utf-8" },
  });
}
