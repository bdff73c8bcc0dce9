/**
 * The state of a run in the past.
 *
 * @module
 */

import type { WorkflowState } from "../types.ts";
import { checkInteger, checkObject, invalid } from "../util/check.ts";
import { advanceRun, type StateFields } from "./history.ts";
import { validateState } from "./validate.ts";

/**
 * Returns the state of a run as it was after so many events. Does not change its arguments.
 *
 * @param state The run, finished or not.
 * @param events The number of events: an integer from 1 to the length of the history. With that length it is `state` itself.
 * @throws {TypeError} If `state` is not the state of a run.
 * @throws {RangeError} If `events` is out of its range.
 *
 * @category Storage
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore } from "@rockpool/workflow";
 * import { stateAt } from "@rockpool/workflow/storage";
 * import { assertEquals } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store });
 * await (await executor.execute(() => "done", { id: "a" })).result();
 * const state = (await store.load("a"))!;
 * const { status, result, history } = stateAt(state, 1);
 * assertEquals([status, result, history.length], ["running", undefined, 1]);
 * assertEquals(stateAt(state, 2), state);
 * ```
 */
export function stateAt(state: WorkflowState, events: number): WorkflowState {
  const action = "return a past state";
  checkObject("state", state, action);
  const { history, ...present } = state;
  validateState(present, history, action);
  checkInteger("events", events, 1, action, present.workflowId);
  if (events > history.length) {
    throw invalid("events", events, `at most ${history.length}`, action, present.workflowId, RangeError);
  }
  if (events === history.length) return state;
  const { result: _1, error: _2, ...rest } = present;
  const fields: StateFields = { ...rest, status: "running" };
  const past = history.slice(0, events);
  const [started] = past;
  if (started.type === "workflow_started" && history.some(({ type }) => type === "labels_changed")) {
    delete fields.labels;
    if (started.labels !== undefined) fields.labels = started.labels;
  }
  advanceRun(fields, past);
  return { ...fields, history: past };
}
