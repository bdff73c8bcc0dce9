/**
 * A stored run as its code sees it: replayed to where its history ends, with nothing performed. To look at, and to throw away.
 *
 * @module
 */

import { type ContextHost, ReplayContext } from "./context.ts";
import type { NonDeterminismError } from "./errors.ts";
import type { Workflow, WorkflowState } from "./types.ts";
import { Replay, type ReplayListener } from "./_replay.ts";
import type { Turns } from "./_turns.ts";
import { handOut } from "./_value.ts";

/**
 * Replays a run.
 *
 * @param listener Hears what the code does beyond what the history holds.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 */
export async function lookAt(
  workflow: Workflow<never>,
  state: WorkflowState,
  host: ContextHost & { readonly turns: Turns },
  listener: Partial<ReplayListener> = {},
): Promise<Replay> {
  const { workflowId, history } = state;
  let failure: NonDeterminismError | undefined;
  const ignore = () => {};
  const replay = new Replay(workflowId, {
    issued: ignore,
    abandoned: ignore,
    returned: ignore,
    continuedAsNew: ignore,
    answered: ignore,
    patched: ignore,
    ...listener,
    diverged: (error) => void (failure = error),
  });
  replay.replaying = true; // nobody hears of it
  for (const event of history) replay.note(event);
  for (const event of history) {
    replay.apply(event);
    if (event.type === "workflow_started") {
      replay.start(workflow, new ReplayContext(state, replay, host), handOut(event.input));
    }
    for (; replay.inTurn; replay.inTurn = replay.settleConditions()) {
      await new Promise<void>((endTurn) => host.turns.begin({ endTurn }));
    }
    if (failure !== undefined) throw failure;
  }
  return replay;
}
