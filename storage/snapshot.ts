/**
 * A store as a text, and back.
 *
 * 1. One workflow a line, after a line that names the format and its version, so that a diff shows what changed.
 * 2. What is shared within a workflow, such as the input that its state and its first event hold, is written once and
 *    shared again after the reading. Workflows share nothing with each other.
 * 3. A checksum over the content, whatever its formatting, tells damage. A text without one is taken as edited by hand.
 * 4. Either everything in a text is valid, or it is refused with the place of the fault.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { WorkflowState } from "../types.ts";
import { checkNumber, checkObject, checkText, invalid } from "../util/check.ts";
import { decode, encode } from "../history/codec.ts";
import { checkState, validateEvent } from "../history/history.ts";
import { show } from "../util/show.ts";

/** A workflow as a snapshot holds it. */
export interface StoredWorkflow {
  /** What is stored of it. */
  readonly state: WorkflowState;
  /** Its place in the order of creation: an integer, growing. */
  readonly place: number;
  /**
   * Present if it is finished: when the store saw it finish, in milliseconds on the store's clock, and its rank among
   * the finished, oldest finish first.
   */
  readonly finish?: { readonly at: number; readonly rank: number };
}

const FORMAT = "rockpool-store";
/** Grows when this release's texts can no longer be read by the releases before. */
const VERSION = 1;
const ACTION = "restore a store";

/**
 * Writes a store as a text.
 *
 * @param nextPlace The place that the next new workflow will get.
 * @throws {TypeError} If a workflow holds what cannot be written as text, such as a `Blob`.
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
 * Reads what {@linkcode writeSnapshot} wrote. The states are deeply frozen, and in order of creation.
 *
 * @throws {TypeError} If `text` is not a string or empty.
 * @throws {WorkflowError} With code `invalid_snapshot` if it is damaged, of a newer release, or no snapshot.
 */
export function readSnapshot(text: string): { workflows: StoredWorkflow[]; nextPlace: number } {
  checkText("text", text, ACTION);
  try {
    const { workflows, nextPlace } = parse(text);
    checkInteger("nextPlace", nextPlace, Infinity, ACTION);
    if (!Array.isArray(workflows)) throw invalid("workflows", workflows, "an array", ACTION);
    const seen = { place: new Set(), workflowId: new Set(), "finish.rank": new Set() };
    return {
      workflows: workflows.map((json, i) => readWorkflow(json, i, nextPlace, seen)).sort((a, b) => a.place - b.place),
      nextPlace,
    };
  } catch (error) {
    const { message, cause = error } = error as Error;
    throw new WorkflowError("invalid_snapshot", message, { cause });
  }
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** Answers the content if the format, the version and the checksum are right. */
function parse(text: string): Json {
  let parsed: Json;
  let actual: string;
  try {
    parsed = JSON.parse(text);
    actual = checksum(JSON.stringify({ ...parsed, checksum: undefined }));
  } catch (cause) {
    const why = (cause as Error).message.replace(/\s+/g, " "); // it can quote the text
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
  checkState(state, state.history, action);
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

/** 64 bits of all characters but line breaks, which JSON has between values only. Tells accidents, not attackers. */
function checksum(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) continue;
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
