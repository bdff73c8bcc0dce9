/**
 * A stored run as its code sees it: replayed to where its history ends, with nothing performed. To look at, and to throw away.
 *
 * @module
 */

import { type ContextHost, ReplayContext } from "./context.ts";
import type { NonDeterminismError } from "../errors.ts";
import type { Workflow } from "../context.ts";
import type { WorkflowState } from "../types.ts";
import { Replay, type ReplayListener } from "./replay.ts";
import type { Outcome } from "./handlers.ts";
import { Turns } from "./turns.ts";
import { handOut } from "../history/value.ts";

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

/** How a history and the code fit, and what the code does after the end of the history. */
export interface HistoryReplay {
  /** How the workflow function ended; `undefined` if it still waits. */
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: unknown }
    | undefined;
  /** What the code asks for beyond the history, such as `a further command, activity_started "pay"`. */
  readonly beyond: string | undefined;
  /** The reason of the cancellation, if the run was canceled. */
  readonly canceled: Error | undefined;
}

/**
 * Replays a stored run against its code. Performs nothing and stores nothing.
 *
 * @param workflow The function.
 * @param state The stored run.
 * @param workflows The workflows that it starts as children, by name.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 */
export async function replayHistory(
  workflow: Workflow<never>,
  state: WorkflowState,
  workflows: Readonly<Record<string, unknown>>,
): Promise<HistoryReplay> {
  const ignore = () => {};
  const names = new Map(Object.entries(workflows).map(([name, workflow]) => [workflow, name]));
  const host = {
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    report: ignore,
    nameOf: (workflow: Workflow<never>) => names.get(workflow) ?? (workflow.name || "anonymous"),
    reachChild: () => Promise.resolve(),
    turns: new Turns({ now: () => 0, setTimer: () => ignore }),
  };
  let outcome: Outcome | undefined;
  let beyond: string | undefined;
  const { canceled } = await lookAt(workflow, state, host, {
    returned: (returned) => void (outcome = returned),
    issued: ({ command }) => {
      beyond ??= `a further command, ${command.type}${"name" in command ? ` "${command.name}"` : ""}`;
    },
    continuedAsNew: () => void (beyond ??= "a new run"),
  });
  return { outcome, beyond, canceled };
}
