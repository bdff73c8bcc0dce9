/**
 * What a search finds: words are the beginning of an ID, or a name; `name:order` is a name, `id:a` the beginning of an ID, any other
 * `region:eu` a label. Quotes hold a text with blanks together: `region:"north sea"`.
 *
 * @module
 */

import type { WorkflowFilter } from "../types.ts";

/** A search that was read. */
export interface Search {
  /** The words that are no `key:value`, together. */
  readonly text: string;
  readonly filter: WorkflowFilter;
}

/** Reads a search. */
export function readSearch(search: string): Search {
  const words: string[] = [];
  const labels: Record<string, string> = {};
  const filter: { -readonly [Name in keyof WorkflowFilter]: WorkflowFilter[Name] } = {};
  for (const [word] of search.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)) {
    const pair = /^((?:[^":]|"[^"]*")+):(.*)$/s.exec(word);
    if (pair === null) {
      words.push(unquote(word));
      continue;
    }
    const [key, value] = [unquote(pair[1]), unquote(pair[2])];
    if (key === "name") filter.workflowName = value;
    else if (key === "id") filter.idPrefix = value;
    else Object.defineProperty(labels, key, { value, enumerable: true }); // also `__proto__`
  }
  if (Object.keys(labels).length > 0) filter.labels = labels;
  return { text: words.join(" "), filter };
}

/** Writes a part of a search. */
export function searchFor(key: string, value: string): string {
  return `${quote(key)}:${quote(value)}`;
}

function quote(text: string): string {
  return /[\s":]/.test(text) || text === "" ? `"${text.replaceAll('"', "")}"` : text;
}

function unquote(text: string): string {
  return text.replaceAll('"', "");
}
