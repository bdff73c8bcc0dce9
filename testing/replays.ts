/**
 * Golden histories: kept as files beside the tests, they tell before a deployment whether changed code would break runs that
 * are in flight.
 *
 * This module reads and writes no file: it makes a text of a history, and a history of a text.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertReplays, historyToText } from "@rockpool/workflow/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const charge = () => "charged";
 * const reserve = () => "reserved";
 * const order = async (ctx: WorkflowContext) => await ctx.executeActivity(charge);
 *
 * await using executor = new Executor({ store: new InMemoryStore() });
 * await (await executor.execute(order, { id: "order-7" })).result();
 * const text = historyToText(await executor.query("order-7", "state")); // Deno.writeTextFile("order.history", text)
 *
 * await assertReplays(order, text);
 * async function changed(ctx: WorkflowContext) {
 *   await ctx.executeActivity(reserve);
 *   return await ctx.executeActivity(charge);
 * }
 * await assertRejects(() => assertReplays(changed, text), Error, 'an activity "reserve" was inserted before');
 * ```
 *
 * @module
 */

import type { ErrorRecord, Workflow, WorkflowContext, WorkflowEvent, WorkflowState } from "../types.ts";
import { checkFunction, checkObject, checkText, invalid } from "../util/check.ts";
import { decode, encode } from "../history/codec.ts";
import { applyBatch } from "../history/history.ts";
import { validateEvent } from "../history/validate.ts";
import { show } from "../util/show.ts";
import { replay } from "./replaying.ts";

const FORMAT = "rockpool-history";
/** Grows when this release's texts can no longer be read by the releases before. */
const VERSION = 1;
const ACTION = "read a history";

/** Options of {@linkcode assertReplays}. */
export interface AssertReplaysOptions {
  /**
   * Workflows that are registered under another name than that of their function, by name: as children they have that name
   * in the history.
   *
   * @default {none}
   */
  readonly workflows?: Readonly<Record<string, (ctx: WorkflowContext, input: never) => unknown>>;
}

/**
 * Replays histories against a workflow's code, performing nothing. A history in flight must replay up to its end; one that
 * has finished must also come to the end that it has.
 *
 * @param workflow The code as it is now.
 * @param histories One history or several, each a stored state or what {@linkcode historyToText} made of one.
 * @param options How workflows are registered.
 * @throws {Error} If the code does not agree with a history: the message has that of the `NonDeterminismError` for each, with
 * the likely edit. The first is the `cause`.
 * @throws {TypeError} If an argument is bad, or a text is none of a history.
 */
export async function assertReplays<Input>(
  workflow: (ctx: WorkflowContext, input: Input) => unknown,
  histories: string | WorkflowState | readonly (string | WorkflowState)[],
  options: AssertReplaysOptions = {},
): Promise<void> {
  checkFunction("workflow", workflow, "replay histories");
  checkObject("options", options, "replay histories");
  const list = (Array.isArray(histories) ? histories : [histories]) as readonly (string | WorkflowState)[];
  if (list.length === 0) throw invalid("histories", histories, "at least one", "replay histories");
  const states = list.map((history) => typeof history === "string" ? historyFromText(history) : history);
  const failures: { readonly message: string; readonly error: unknown }[] = [];
  for (const [i, state] of states.entries()) {
    try {
      await replay(workflow as Workflow<never>, state, options.workflows ?? {});
    } catch (error) {
      const which = states.length === 1 ? "" : `History ${i + 1} of ${states.length}: `;
      failures.push({ message: `${which}${(error as Error).message}`, error });
    }
  }
  if (failures.length === 0) return;
  const whose = `Workflow ${show(workflow.name || "anonymous")} does not replay`;
  throw new Error([whose, ...failures.map(({ message }) => message)].join("\n"), { cause: failures[0].error });
}

/**
 * Writes a history as a text, to be kept in a file: an event a line, each line JSON, so that a diff shows what changed. The
 * stacks of errors are left out: they differ from machine to machine.
 *
 * @param state A run as it is stored, finished or not.
 * @throws {TypeError} If it holds what cannot be written as text, such as a `Blob`.
 */
export function historyToText(state: WorkflowState): string {
  checkObject("state", state, "write a history");
  const { workflowId, runId, history } = state;
  const action = `write the history of workflow ${show(workflowId)}`;
  const lines = history.map((event) => encode(withoutStacks(event), action));
  return [{ format: FORMAT, version: VERSION, workflowId, runId }, ...lines]
    .map((line) => `${JSON.stringify(line)}\n`).join("");
}

/**
 * Reads what {@linkcode historyToText} wrote, also if it was edited by hand since.
 *
 * @throws {TypeError} If it is of a newer release, or no history; the message names the line.
 */
export function historyFromText(text: string): WorkflowState {
  checkText("text", text, ACTION);
  const [head, ...lines] = text.split("\n")
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line.trim() !== "")
    .map(({ line, number }) => ({ number, json: parse(line, number) }));
  const { format, version, workflowId, runId } = Object(head?.json);
  if (format !== FORMAT) throw invalid("format", format, show(FORMAT), `${ACTION}, line 1`);
  if (Number.isInteger(version) && version > VERSION) {
    throw new TypeError(
      `Cannot ${ACTION}: the text has version ${version}, this release reads up to version ${VERSION}: ` +
        "update @rockpool/workflow",
    );
  }
  if (version !== VERSION) throw invalid("version", version, `${VERSION}`, `${ACTION}, line 1`);
  checkText("workflowId", workflowId, `${ACTION}, line 1`);
  checkText("runId", runId, `${ACTION}, line 1`);
  const events = lines.map(({ json, number }, i) => {
    const event = decode(json, `${ACTION}, line ${number}`) as WorkflowEvent;
    validateEvent(event, "history", i, `${ACTION}, line ${number},`);
    return event;
  });
  if (events[0]?.type !== "workflow_started") {
    throw new TypeError(`Cannot ${ACTION}: it does not begin with "workflow_started"`);
  }
  return Object.freeze(applyBatch(null, { workflowId, runId, expectedLength: 0, events }));
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const why = (cause as Error).message.replace(/\s+/g, " "); // it can quote the text
    throw new TypeError(`Cannot ${ACTION}: line ${number} is no JSON: ${why}`, { cause });
  }
}

function withoutStacks(event: WorkflowEvent): WorkflowEvent {
  return "error" in event && event.error !== undefined ? { ...event, error: withoutStack(event.error) } : event;
}

function withoutStack({ stack: _, cause, errors, ...record }: ErrorRecord): ErrorRecord {
  return {
    ...record,
    ...(cause === undefined ? {} : { cause: withoutStack(cause) }),
    ...(errors === undefined ? {} : { errors: errors.map(withoutStack) }),
  };
}
