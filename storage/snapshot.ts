/**
 * Writes a store as a text and reads it back.
 *
 * 1. The first line names the format and its version. Each workflow has a line of its own, so that a diff shows what changed.
 * 2. A value that occurs twice in a workflow, such as the input of its state and of its first event, is written once and
 *    shared again after reading. Workflows share nothing with each other.
 * 3. A checksum finds damage. It does not depend on line breaks and indentation. A text without a checksum was edited by hand,
 *    and is accepted.
 * 4. A text is valid as a whole, or is refused with the place of the fault.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { WorkflowState } from "../types.ts";
import { checkArray, checkNumber, checkObject, checkText, invalid } from "../util/check.ts";
import { decode, encode } from "../history/codec.ts";
import { validateEvent, validateState } from "../history/validate.ts";
import { hash } from "../util/prng.ts";
import { show } from "../util/show.ts";

/** A workflow in a snapshot. */
export interface StoredWorkflow {
  /** The stored state. */
  readonly state: WorkflowState;
  /** Its place in the order of creation: an integer. */
  readonly place: number;
  /**
   * Present if it is finished: the time at which the store saw it finish, and its rank among the finished workflows, the
   * first to finish first.
   */
  readonly finish?: { readonly at: number; readonly rank: number };
}

const FORMAT = "rockpool-store";
/** Grows when earlier releases cannot read the texts of this release. */
const VERSION = 1;
const ACTION = "restore a store";

/**
 * Writes workflows as a text.
 *
 * @param nextPlace The place of the next new workflow.
 * @throws {TypeError} If a value cannot be written as text, such as a `Blob`.
 */
export function writeSnapshot(workflows: Iterable<StoredWorkflow>, nextPlace: number): string {
  const lines = Array.from(workflows, ({ state, place, finish }) => {
    const encoded = encode(state, `snapshot workflow ${show(state.workflowId)}`);
    return JSON.stringify({ place, finish, state: encoded });
  });
  const head = JSON.stringify({ format: FORMAT, version: VERSION, nextPlace });
  const content = `${head.slice(0, -1)},"workflows":[\n${lines.join(",\n")}\n]`;
  return `${content},"checksum":"${checksum(`${content}}`)}"}`;
}

/**
 * Reads a text of {@linkcode writeSnapshot}. The states are deeply frozen, in order of creation.
 *
 * @throws {TypeError} If `text` is not a string or empty.
 * @throws {WorkflowError} With code `invalid_snapshot` if it is damaged, of a later version, or no snapshot.
 */
export function readSnapshot(text: string): { workflows: StoredWorkflow[]; nextPlace: number } {
  checkText("text", text, ACTION);
  try {
    const { workflows, nextPlace } = parse(text);
    checkInteger("nextPlace", nextPlace, Infinity, ACTION);
    checkArray("workflows", workflows, ACTION);
    const seen = { place: new Set(), workflowId: new Set(), "finish.rank": new Set() };
    return {
      workflows: (workflows as Json[]).map((json, i) => readWorkflow(json, i, nextPlace, seen)).sort((a, b) =>
        a.place - b.place
      ),
      nextPlace,
    };
  } catch (error) {
    const { message, cause = error } = error as Error;
    throw new WorkflowError("invalid_snapshot", message, { cause });
  }
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** Parses a text and checks its format, version and checksum. */
function parse(text: string): Json {
  let parsed: Json;
  let actual: string;
  try {
    parsed = JSON.parse(text);
    actual = checksum(JSON.stringify({ ...parsed, checksum: undefined }));
  } catch (cause) {
    const why = (cause as Error).message.replace(/\s+/g, " "); // the message can quote the text, with its line breaks
    throw new TypeError(`Cannot ${ACTION}: the text is cut off or no JSON: ${why}`, { cause });
  }
  const { format, version, checksum: expected } = Object(parsed);
  if (format !== FORMAT) throw invalid("format", format, show(FORMAT), ACTION);
  if (Number.isInteger(version) && version > VERSION) {
    throw new TypeError(
      `Cannot ${ACTION}: the text has version ${version}, this release reads up to version ${VERSION}: ` +
        "update @rockpool/workflow",
    );
  }
  if (version !== VERSION) throw invalid("version", version, `${VERSION}`, ACTION);
  if (expected !== undefined && expected !== actual) {
    throw new TypeError(
      `Cannot ${ACTION}: the text was changed or damaged; if you edited it on purpose, remove "checksum"`,
    );
  }
  return parsed;
}

function readWorkflow(json: Json, i: number, nextPlace: number, seen: Record<string, Set<unknown>>): StoredWorkflow {
  const { place, finish, state: encoded } = Object(json);
  const id = encoded?.workflowId;
  const action = `${ACTION}: workflow ${i + 1}${typeof id === "string" ? ` (${show(id)})` : ""}`;
  const checkUnique = (name: string, value: unknown) => {
    if (seen[name].size === seen[name].add(value).size) throw invalid(name, value, "unique", action);
  };
  checkInteger("place", place, nextPlace, action);
  checkUnique("place", place);
  const state = decode(encoded, action) as WorkflowState;
  checkObject("state", state, action);
  validateState(state, state.history, action);
  checkUnique("workflowId", state.workflowId);
  for (const [i, event] of state.history.entries()) validateEvent(event, "history", i, `${action},`);
  if (state.status === "running") {
    if (finish !== undefined) throw invalid("finish", finish, "absent while it is running", action);
    return { state, place };
  }
  const { at, rank } = Object(finish);
  checkNumber("finish.at", at, -Infinity, action);
  checkInteger("finish.rank", rank, Infinity, action);
  checkUnique("finish.rank", rank);
  return { state, place, finish: { at, rank } };
}

function checkInteger(name: string, value: unknown, below: number, action: string): void {
  if (Number.isSafeInteger(value) && value as number >= 0 && value as number < below) return;
  throw invalid(name, value, `an integer from 0${below < Infinity ? ` below ${below}` : ""}`, action);
}

/** 64 bits that depend on all characters but line breaks, which JSON has only between values. Finds accidental changes; it is no protection against an attacker. */
function checksum(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x41c6ce57;
  for (const line of text.split("\n")) {
    a = hash(line, a);
    b = hash(line, b, 0x5bd1e995);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
