/**
 * The stacks of errors in what a run sends to Restate.
 *
 * 1. Restate compares what a run sends with its journal in each replay. The stack of an error that was made in the run names files of this
 *    machine and frames of this execution, so it is left out.
 * 2. The stack of an error that came from the journal stays: it is the same in each replay.
 * 3. Data of users that only looks like an error stays as it is.
 *
 * @module
 */

import { nativeClass } from "../../history/native_error.ts";

type Json = Record<string, unknown>;

/** Where events and messages hold values of users. */
const dataKeys = /* @__PURE__ */ new Set(
  ["input", "result", "payload", "args", "value", "data", "thrown", "details", "heartbeatDetails", "headers"],
);
const FRAME = "\n    at ";

export class Stacks {
  /** Those of errors that came from the journal. */
  readonly #known = new Set<string>();

  /** Reads the records of errors in JSON from the journal. */
  learn(json: unknown): void {
    visit(json, (stack) => {
      if (stack.includes(FRAME)) this.#known.add(stack);
      return true;
    });
  }

  /** JSON without the stacks of errors that were made in the run. The given JSON is unchanged. */
  withoutOwn<T>(json: T): T {
    return visit(json, (stack) => this.#known.has(stack) || this.#known.has(withoutLastFrame(stack))) as T;
  }
}

/** JSON without the stacks of errors that are values of users; such an error keeps its first line. The given JSON is unchanged. */
export function withoutStacksOfValues<T>(json: T): T {
  return visit(json, () => true) as T;
}

/** An executor adds where the error comes from. */
function withoutLastFrame(stack: string): string {
  const end = stack.lastIndexOf(FRAME);
  return end < 0 ? stack : stack.slice(0, end);
}

/** @param keeps Whether the stack in the record of an error stays. */
function visit(json: unknown, keeps: (stack: string) => boolean, isData = false): unknown {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) {
    const copy = json.map((item) => visit(item, keeps, isData));
    return copy.some((item, i) => item !== json[i]) ? copy : json;
  }
  let copy = withoutStack(json as Json, keeps, isData);
  for (const [key, part] of Object.entries(copy)) {
    const other = visit(part, keeps, isData || dataKeys.has(key));
    if (other === part) continue;
    if (copy === json) copy = { ...copy };
    copy[key] = other; // an own property already, so "__proto__" is safe
  }
  return copy;
}

function withoutStack(json: Json, keeps: (stack: string) => boolean, isData: boolean): Json {
  const { $: tag, value, stack, message } = json;
  if (tag === "DOMException" && Array.isArray(value)) {
    const [message, name] = value;
    return { ...json, value: [message, name, `${name}: ${message}`] };
  }
  if (nativeClass(tag) !== undefined && typeof (value as Json | undefined)?.stack === "string") {
    const parts = value as Json;
    return { ...json, value: { ...parts, stack: `${tag}: ${parts.message}` } };
  }
  if (isData || typeof stack !== "string" || typeof message !== "string" || keeps(stack)) return json;
  const { stack: _, ...rest } = json;
  return rest;
}
