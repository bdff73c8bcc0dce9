/**
 * The errors for code that does not fit its history. Each shows both sides, the likely edit, and the way out.
 *
 * @module
 */

import { NonDeterminismError } from "../errors.ts";
import type { CommandEvent, WorkflowEvent } from "../types.ts";
import { isCommand } from "../history/history.ts";
import { show } from "../util/show.ts";
import type { Caller, Command } from "./command.ts";

/** A command, stored or issued. */
type Described = Pick<Command, "type" | "name"> | CommandEvent;

const nouns = {
  activity_started: "activity",
  timer_started: "sleep or timeout",
  child_started: "child workflow",
  side_effect: "side effect",
  compensation_started: "compensation",
  labels_changed: "change of labels",
};

/** The history has an event for which the code issued no command. */
export function missingCommand(
  workflowId: string,
  event: WorkflowEvent & { readonly seq: number },
): NonDeterminismError {
  const none = "no command at this position";
  if (!isCommand(event)) return diverged(workflowId, event.seq, `${event.type} of a command`, none, "");
  const edit = `Likely edit: ${describe(event)} was removed, or a condition before it now has another result`;
  return diverged(workflowId, event.seq, describe(event), none, edit);
}

/**
 * The history has another command at the position of this one.
 *
 * @param later The commands that the history has at later positions.
 */
export function otherCommand(
  workflowId: string,
  event: CommandEvent,
  command: Command,
  later: Iterable<CommandEvent>,
): NonDeterminismError {
  const moved = [...later].find((expected) => command.matches(expected));
  const edit = moved === undefined
    ? `${withArticle(describe(command))} was inserted before ${describe(event)}, or replaced it`
    : `${describe(event)} was removed or moved: the history has ${describe(command)} at position ${moved.seq}`;
  const hint = `Likely edit: ${edit}${calledAt(command.caller)}`;
  return diverged(workflowId, event.seq, describe(event), describe(command), hint);
}

/**
 * The code did something outside of a turn. It waited for something that no history holds, so no replay can repeat it.
 *
 * @param actual What it did.
 * @param caller The context method that it called, if it called one.
 */
export function foreignWait(
  workflowId: string,
  position: number,
  actual: string,
  caller: Caller | undefined,
): NonDeterminismError {
  const message = `Cannot resume workflow ${show(workflowId)}: its code asked for ${
    withArticle(actual)
  } after it waited for something other than its context
  position ${position}${caller === undefined ? "" : calledAt(caller)}
  A fetch, a timer or a promise of another library is in no history, so it cannot be replayed: put it into an activity,
  and wait with ctx.sleep(), ctx.waitUntil() or ctx.waitForSignal(). An activity cannot call the context of its workflow
  ${unchanged("waits for its context only")}`;
  return new NonDeterminismError(message, { expected: "a wait for the context", actual, position });
}

function diverged(
  workflowId: string,
  position: number,
  expected: string,
  actual: string,
  hint: string,
): NonDeterminismError {
  const message = `Cannot replay workflow ${show(workflowId)}: its code does not do what its history says
  position ${position}
  history  ${expected}
  code     ${actual}
  ${hint}
  ${unchanged("agrees with the history")}`;
  return new NonDeterminismError(message, { expected, actual, position });
}

/** @param does What the code must do. */
function unchanged(does: string): string {
  return `The stored run is unchanged. Deploy code that ${does} and call recover()`;
}

/** Names a command: `activity "charge"`. */
export function describe(command: Described): string {
  const name = "name" in command ? command.name : undefined;
  return name === undefined ? nouns[command.type] : `${nouns[command.type]} ${show(name)}`;
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

/** The line of workflow code that called the context, as a line of the message; empty if the runtime cannot say. */
function calledAt(caller: Caller): string {
  const trace: { stack?: string } = {};
  (Error as { captureStackTrace?: (target: object, above: unknown) => void }).captureStackTrace?.(trace, caller);
  const line = trace.stack?.split("\n").map((line) => line.trim()).find((line) => line.startsWith("at "));
  return line === undefined ? "" : `\n  called ${line}`;
}
