/**
 * Headers and labels: texts by name. `none` stands for none, in calls and in what code receives; events leave the field out.
 *
 * @module
 */

import { none } from "../hooks.ts";
import type { CallHeaders } from "../types.ts";
import { checkTexts } from "../util/check.ts";
import { toStored } from "../history/value.ts";

export { none };

/**
 * Copies texts by name that a caller gives.
 *
 * @throws {TypeError} If they are not texts by name.
 */
export function copyTexts(name: string, texts: unknown, action: string, subject?: unknown): CallHeaders {
  if (texts === undefined || texts === none) return none;
  const copy = toStored(texts, name);
  return checkTexts(name, copy, action, subject).length === 0 ? none : copy as CallHeaders;
}

/** Headers that are passed on, and what replaces or completes them. */
export function mergeHeaders(
  inherited: CallHeaders | undefined = none,
  own: CallHeaders | undefined = none,
): CallHeaders {
  if (own === none) return inherited;
  return inherited === none ? own : Object.freeze({ ...inherited, ...own });
}

/** The field of an event that has headers. */
export function withHeaders(headers: CallHeaders | undefined = none): { readonly headers?: CallHeaders } {
  return headers === none ? {} : { headers };
}
