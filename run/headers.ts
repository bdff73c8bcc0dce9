/**
 * Headers and labels: texts by name. `noTexts` stands for none, in calls and in what code receives; events leave the field out.
 *
 * @module
 */

import type { CallHeaders } from "../types.ts";
import { checkTexts, noTexts } from "../util/check.ts";
import { toStored } from "../history/value.ts";

/**
 * Copies texts by name that a caller gives.
 *
 * @throws {TypeError} If they are not texts by name.
 */
export function copyTexts(name: string, texts: unknown, action: string, subject?: unknown): CallHeaders {
  if (texts === undefined || texts === noTexts) return noTexts;
  const copy = toStored(texts, name);
  return checkTexts(name, copy, action, subject).length === 0 ? noTexts : copy as CallHeaders;
}

/** Headers that are passed on, and what replaces or completes them. */
export function mergeHeaders(
  inherited: CallHeaders | undefined = noTexts,
  own: CallHeaders | undefined = noTexts,
): CallHeaders {
  if (own === noTexts) return inherited;
  return inherited === noTexts ? own : Object.freeze({ ...inherited, ...own });
}

/** The field of an event that has headers. */
export function withHeaders(headers: CallHeaders | undefined = noTexts): { readonly headers?: CallHeaders } {
  return headers === noTexts ? {} : { headers };
}
