/**
 * Headers and labels: texts by name. `noTexts` stands for none, in calls and in what code receives; events leave the field out.
 *
 * @module
 */

import type { CallHeaders, Labels } from "../types.ts";
import { checkObject, checkTexts, noTexts } from "../util/check.ts";
import { toStored } from "../history/value.ts";

/**
 * Copies texts by name that a caller gives.
 *
 * @param maxBytes The maximum size of all of them.
 * @throws {TypeError} If they are not texts by name.
 * @throws {RangeError} If they are too large.
 */
export function copyTexts(
  name: string,
  texts: unknown,
  action: string,
  subject?: unknown,
  maxBytes?: number,
): CallHeaders {
  if (texts === undefined || texts === noTexts) return noTexts;
  const copy = toStored(texts, name, undefined, maxBytes);
  return checkTexts(name, copy, action, subject).length === 0 ? noTexts : copy as CallHeaders;
}

/**
 * Labels with changes that a caller gives: `null` removes one.
 *
 * @param maxBytes The maximum size of all of them.
 * @throws {TypeError} If a change is neither a text nor `null`.
 * @throws {RangeError} If they are too large.
 */
export function changeLabels(labels: Labels, changes: unknown, maxBytes: number | undefined): Labels {
  const action = "set labels";
  checkObject("labels", changes, action);
  const changed = Object.entries({
    ...labels,
    ...Object.fromEntries(checkTexts("labels", changes, action, undefined, true)),
  });
  return toStored(
    Object.fromEntries(changed.filter(([, text]) => text !== null)),
    "labels",
    undefined,
    maxBytes,
  ) as Labels;
}

/** Headers that are passed on, and what replaces or completes them. Throws a `RangeError` if they are too large together. */
export function mergeHeaders(
  inherited: CallHeaders | undefined = noTexts,
  own: CallHeaders | undefined = noTexts,
  maxBytes?: number,
): CallHeaders {
  if (own === noTexts) return inherited;
  if (inherited === noTexts) return own;
  return toStored({ ...inherited, ...own }, "headers", undefined, maxBytes) as CallHeaders;
}

/** The field of an event that has headers. */
export function withHeaders(headers: CallHeaders | undefined = noTexts): { readonly headers: CallHeaders } | undefined {
  return headers === noTexts ? undefined : { headers };
}
