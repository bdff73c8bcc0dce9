/**
 * Read-only replays: a stored run is replayed up to the end of its history. Nothing is performed and nothing is stored. Used
 * to answer a query of a run that is not live, and to check a history against the code.
 *
 * @module
 */

import type { NonDeterminismError } from "../errors.ts";
import type { CommandEvent, WorkflowState } from "../types.ts";
import type { Workflow } from "../context.ts";
import { handOut } from "../history/value.ts";
import { type ContextSettings, ReplayContext } from "./context.ts";
import { type Command, TimerCommand } from "./command.ts";
import { describe } from "./divergence.ts";
import type { Outcome } from "./events.ts";
import { type Ending, Replay, type ReplayOwner } from "./replay.ts";
import { Turns } from "./turns.ts";

const ignore = () => {};

/**
 * Replays a stored run.
 *
 * @param owner Gets what the code decides beyond the end of the history.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 */
export async function replayReadOnly(
  workflow: Workflow<never>,
  state: WorkflowState,
  { turns, context }: { readonly turns: Turns; readonly context: ContextSettings },
  owner: Partial<ReplayOwner> = {},
): Promise<Replay> {
  const { workflowId, history } = state;
  let failure: NonDeterminismError | undefined;
  const replay = new Replay(workflowId, {
    issued: ignore,
    withdrawn: ignore,
    awaited: ignore,
    answered: ignore,
    patched: ignore,
    codeEnded: ignore,
    ...owner,
    diverged: (error) => void (failure = error),
  });
  replay.replaying = true; // the logger stays silent
  for (const event of history) replay.stored(event);
  for (const event of history) {
    replay.apply(event);
    if (event.type === "workflow_started") {
      replay.start(workflow, new ReplayContext(state, replay, context), handOut(event.input));
    }
    for (; replay.inTurn; replay.inTurn = replay.settleConditions()) {
      await new Promise<void>((endTurn) => turns.later({ endTurn }));
    }
    if (failure !== undefined) throw failure;
  }
  return replay;
}

/**
 * A command that the code repeats.
 *
 * @category Testing
 */
export interface RepeatedCommand {
  /** What it is, such as `activity "charge"`. */
  readonly what: string;
  /** The event in the history. */
  readonly stored: CommandEvent;
  /** The event by which the code asks for it now. */
  readonly issued: CommandEvent;
}

/**
 * How a history and the code fit, and what the code does after the end of the history.
 *
 * @category Testing
 */
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
  /** The commands that the code repeats, without side effects: these are not called. */
  readonly repeated: readonly RepeatedCommand[];
  /** The changes that `ctx.patched` asked for, by ID: whether the run takes the new path. */
  readonly patched: Readonly<Record<string, boolean>>;
}

/** The event by which the code asks for a command now, at the time of the stored one. */
function issuedEvent(command: Command, { at, ...stored }: CommandEvent, now: number): CommandEvent {
  const event = command.toEvent(at, at, undefined);
  // A sleep that an earlier process could not store counts from the event that the code had seen.
  const isLate = command instanceof TimerCommand && "dueAt" in stored && stored.dueAt === now + command.delayMs;
  return isLate ? command.toEvent(at, now) : event;
}

/**
 * Replays a stored run against its code. Performs nothing and stores nothing.
 *
 * @param workflow The function.
 * @param state The stored run.
 * @param workflows The workflows that it starts as children, by name.
 * @throws {NonDeterminismError} If the code does not do what the history says.
 *
 * @category Testing
 */
export async function replayHistory(
  workflow: Workflow<never>,
  state: WorkflowState,
  workflows: Readonly<Record<string, unknown>>,
): Promise<HistoryReplay> {
  const names = new Map(Object.entries(workflows).map(([name, workflow]) => [workflow, name]));
  const context: ContextSettings = {
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    report: ignore,
    nameOf: (workflow) => names.get(workflow) ?? (workflow.name || "anonymous"),
    deliver: () => Promise.resolve(),
  };
  let outcome: Outcome | undefined;
  let beyond: string | undefined;
  const repeated: RepeatedCommand[] = [];
  const turns = new Turns({ now: () => 0, setTimer: () => ignore });
  const { canceled, patches } = await replayReadOnly(workflow, state, { turns, context }, {
    issued: ({ type, name }) => {
      beyond ??= `a further command, ${type}${name === undefined ? "" : ` "${name}"`}`;
    },
    repeated: (command, stored, now) => {
      if (command.type === "side_effect") return; // its event is made by its body
      repeated.push({ what: describe(command), stored, issued: issuedEvent(command, stored, now) });
    },
    codeEnded: (ending: Ending) => {
      if ("continueWith" in ending) beyond ??= "a new run";
      else outcome = ending;
    },
  });
  return { outcome, beyond, canceled, repeated, patched: patches };
}
