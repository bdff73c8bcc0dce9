/**
 * The memo and the search attributes of a run.
 *
 * They are part of its input, and workflow code changes them. The search attributes are labels of the run, too, as texts: lists find it
 * by them. A change of the memo has no event: a replay repeats it. The query `__temporal_workflow_metadata` answers both.
 *
 * @module
 */

import { checkObject } from "../util/check.ts";
import {
  type SearchAttributePair,
  type SearchAttributes,
  SearchAttributeType,
  type SearchAttributeUpdatePair,
  type SearchAttributeValueOrReadonly,
  TypedSearchAttributes,
} from "./common/mod.ts";
import type { Labels } from "../types.ts";
import type { Run } from "./run.ts";
import { outside, requireFrame } from "./scope.ts";

/** Returns search attributes with their types. Those that have types take precedence. */
export function attributePairs(
  untyped: SearchAttributes | undefined,
  typed: readonly SearchAttributePair[] | TypedSearchAttributes | undefined,
): SearchAttributePair[] {
  const pairs = typed instanceof TypedSearchAttributes ? typed.getAll() : [...typed ?? []];
  const given = new Set(pairs.map(({ key }) => key.name));
  for (const [name, value] of Object.entries(untyped ?? {})) {
    const pair = given.has(name) ? undefined : pairOf(name, value);
    if (pair !== undefined) pairs.push(pair);
  }
  return pairs;
}

/** The type of a search attribute that has none follows from its values. */
function pairOf(name: string, values: SearchAttributeValueOrReadonly): SearchAttributePair | undefined {
  if (values === undefined || values.length === 0) return undefined;
  if (!Array.isArray(values)) throw new TypeError(`Cannot set search attribute "${name}": its value must be an array`);
  const [value] = values;
  const type = values.length > 1
    ? SearchAttributeType.KEYWORD_LIST
    : typeof value === "string"
    ? SearchAttributeType.KEYWORD
    : typeof value === "boolean"
    ? SearchAttributeType.BOOL
    : typeof value === "number"
    ? Number.isInteger(value) ? SearchAttributeType.INT : SearchAttributeType.DOUBLE
    : SearchAttributeType.DATETIME;
  return { key: { name, type }, value: values.length > 1 ? [...values] : value } as SearchAttributePair;
}

/** Returns search attributes as lists of values. */
export function untypedAttributes(pairs: readonly SearchAttributePair[]): SearchAttributes {
  return Object.fromEntries(
    pairs.map((
      { key, value },
    ) => [key.name, (Array.isArray(value) ? value : [value]) as SearchAttributeValueOrReadonly]),
  );
}

/** Search attributes as labels. */
export function labelsOf(pairs: readonly SearchAttributePair[]): Labels {
  return Object.fromEntries(pairs.map(({ key, value }) => [key.name, textOf(value)]));
}

/** The text of a value in a label: a time in its ISO form, a list as JSON. */
export function textOf(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
  return Array.isArray(value) ? JSON.stringify(value) : `${value}`;
}

/**
 * Changes the labels of a run that differ from search attributes.
 *
 * @param before Attributes that may be gone.
 */
export function setLabels({ ctx }: Run, pairs: readonly SearchAttributePair[], before = pairs): void {
  const wanted = new Map<string, string | null>(before.map(({ key }) => [key.name, null]));
  for (const [name, text] of Object.entries(labelsOf(pairs))) wanted.set(name, text);
  const current = new Map(Object.entries(ctx.labels));
  const changes = [...wanted].filter(([name, text]) => (current.get(name) ?? null) !== text);
  if (changes.length > 0) outside(() => ctx.setLabels(Object.fromEntries(changes)));
}

/**
 * Changes search attributes of the workflow. `null`, or an empty list, removes one.
 *
 * They are labels of the run, too: `store.list({ labels: { CustomerId: "7" } })` finds it by the new value. The label of a time is its
 * ISO form, that of a list of keywords its JSON text.
 *
 * @param searchAttributes Those to change.
 * @throws {TypeError} If one is bad.
 *
 * @category Temporal
 */
export function upsertSearchAttributes(searchAttributes: SearchAttributes | SearchAttributeUpdatePair[]): void {
  const { run } = requireFrame("change search attributes");
  checkObject("searchAttributes", searchAttributes, "change search attributes");
  const changes = Array.isArray(searchAttributes) ? searchAttributes : Object.entries(searchAttributes).map(
    ([name, value]) =>
      pairOf(name, value) ??
        { key: { name, type: SearchAttributeType.KEYWORD }, value: null } as SearchAttributeUpdatePair,
  );
  const before = run.searchAttributes;
  const pairs = new TypedSearchAttributes([...before]).updateCopy(changes).getAll();
  setLabels(run, pairs, before);
  run.searchAttributes = pairs;
}

/**
 * Changes the memo of the workflow. `null` removes an entry.
 *
 * @param memo The entries to change.
 * @throws {TypeError} If it is no object.
 *
 * @category Temporal
 */
export function upsertMemo(memo: Record<string, unknown>): void {
  const { run } = requireFrame("change the memo");
  checkObject("memo", memo, "change the memo");
  const entries = Object.entries({ ...run.memo, ...memo }).filter(([, value]) => value != null);
  run.memo = run.host.converter.toStored(Object.fromEntries(entries)) as Record<string, unknown>;
}
