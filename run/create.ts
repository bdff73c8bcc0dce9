/**
 * The creation of a run in the store, in the place of what is stored under its ID, if the options allow that.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { cannot } from "../util/check.ts";
import { FrozenBatch } from "../history/history.ts";
import type { ExecuteOptions } from "../options.ts";
import type { Outside } from "./delivery.ts";
import { isConflict, type RetryingStore } from "./retrying_store.ts";

/**
 * Stores the first event of a run, in the place of a finished run if there is one. Answers the ID of the run, or the run
 * that was there if the options say to join it, or `isSame` that it is what was to be started.
 */
export async function createRun(
  { store, newRunId }: { readonly store: RetryingStore; newRunId(workflowId: string): string },
  outside: Outside,
  id: string,
  event: WorkflowEvent,
  options: ExecuteOptions,
  isSame: (state: WorkflowState) => boolean = () => false,
): Promise<string | WorkflowState> {
  const { onConflict, reuse } = options;
  let runId = newRunId(id);
  let replaces: string | undefined;
  let terminated = false;
  for (let attempt = 1;; attempt++) {
    let failure: unknown;
    try {
      await store.append(new FrozenBatch(id, runId, 0, [event], replaces));
      return runId;
    } catch (error) {
      failure = error;
    }
    if (isConflict(failure)) {
      const state = await store.load(id);
      if (state?.runId === runId) return runId; // it was stored, only the answer was lost
      const running = state?.status === "running";
      if (state && ((running ? onConflict : reuse) === "join" || isSame(state))) return state;
      if (running && onConflict !== "terminate") {
        const way = outside.isHere(id) ? "wait for handle(id)" : "if its process is gone, go on with recover()";
        throw new WorkflowError(
          "already_running",
          `${cannot("execute workflow", id)}: it is running already; ${way}`,
        );
      }
      if (running && replaces !== state.runId) {
        if (!await replace(outside, id)) continue; // it has finished by itself, which `reuse` is for
        terminated = true;
      }
      if (state && !running && !terminated && reuse === "reject") {
        throw new WorkflowError(
          "already_finished",
          `${cannot("execute workflow", id)}: it is ${state.status}, and "reuse" is "reject"`,
        );
      }
      if (replaces !== state?.runId) {
        replaces = state?.runId;
        runId = newRunId(id); // one whose answer was lost may have been there before that run
        continue;
      }
    }
    await store.backOff(failure, attempt);
  }
}

/** Terminates what a new run is to replace. Answers whether it was running still. */
async function replace(outside: Outside, id: string): Promise<boolean> {
  try {
    await outside.terminate(id, "a new run replaces it");
    return true;
  } catch (error) {
    if (error instanceof WorkflowError && error.code === "not_found") return false;
    throw error;
  }
}
