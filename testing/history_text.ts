/**
 * Histories as texts, for files: golden histories of tests, exports of the inspector and of the command line. Reads and writes no
 * file.
 *
 * @module
 */

import { decode, encode } from "../history/codec.ts";
import { applyBatch } from "../history/history.ts";
import { validateEvent } from "../history/validate.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { checkObject, checkText, invalid } from "../util/check.ts";
import { show } from "../util/show.ts";
import { withoutStacks } from "./compare_histories.ts";

const FORMAT = "rockpool-history";
/** Increases when older releases can no longer read the texts of this one. */
const VERSION = 1;
const ACTION = "read a history";

/**
 * Writes a history as text for a file. Each event is one line of JSON, so that a diff shows what changed. The stacks of
 * errors are left out, because they are different on every machine.
 *
 * @param state A run as it is stored, finished or not.
 * @throws {TypeError} If it holds a value that cannot be written as text, such as a `Blob`.
 *
 * @category Testing
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
 * Reads a text that {@linkcode historyToText} wrote. The text may have been edited by hand.
 *
 * @throws {TypeError} If a newer release wrote it, or it is not a history; the message names the line.
 *
 * @category Testing
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
    const reason = (cause as Error).message.replace(/\s+/g, " "); // the message can quote the text
    throw new TypeError(`Cannot ${ACTION}: line ${number} is not JSON: ${reason}`, { cause });
  }
}
