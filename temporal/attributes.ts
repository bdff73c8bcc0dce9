/**
 * The memo and the search attributes of a run.
 *
 * They are part of its input, and workflow code changes them. A change has no event: a replay repeats it. The query
 * `__temporal_workflow_metadata` answers them.
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
import { requireFrame } from "./scope.ts";

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

/**
 * Changes search attributes of the workflow. `null`, or an empty list, removes one.
 *
 * They are not labels: `WorkflowStore.list()` does not find the workflow by them.
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
  run.searchAttributes = new TypedSearchAttributes([...run.searchAttributes]).updateCopy(changes).getAll();
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
