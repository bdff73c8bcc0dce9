import { assertEquals, assertThrows } from "@std/assert";
import { defineSearchAttributeKey, type SearchAttributePair, TypedSearchAttributes } from "./mod.ts";

const customer = defineSearchAttributeKey("customer", "KEYWORD");
const total = defineSearchAttributeKey("total", "INT");
const since = defineSearchAttributeKey("since", "DATETIME");

Deno.test("TypedSearchAttributes.get() returns the value of the name and the type", () => {
  const attributes = new TypedSearchAttributes([{ key: customer, value: "a" }, { key: total, value: 7 }]);
  assertEquals([attributes.get(customer), attributes.get(total), attributes.get(since)], ["a", 7, undefined]);
  assertEquals(attributes.get(defineSearchAttributeKey("total", "TEXT")), undefined);
});

Deno.test("TypedSearchAttributes.updateCopy() sets and removes, and changes only the copy", () => {
  const attributes = new TypedSearchAttributes([{ key: customer, value: "a" }, { key: total, value: 7 }]);
  const copy = attributes.updateCopy([{ key: customer, value: null }, { key: total, value: 8 }]);
  assertEquals(copy.getAll(), [{ key: total, value: 8 }]);
  assertEquals(attributes.copy().getAll(), attributes.getAll());
  assertEquals(attributes.getAll().length, 2);
});

Deno.test("TypedSearchAttributes hands out copies of dates and lists", () => {
  const attributes = new TypedSearchAttributes([{ key: since, value: new Date(5) }]);
  attributes.get(since)!.setTime(0);
  assertEquals(attributes.get(since), new Date(5));
  assertEquals(
    JSON.stringify(attributes),
    '[{"key":{"name":"since","type":"DATETIME"},"value":"1970-01-01T00:00:00.005Z"}]',
  );
});

Deno.test("TypedSearchAttributes refuses a name that is given twice, and a value of another type", () => {
  const pair: SearchAttributePair = { key: total, value: 7 };
  assertThrows(
    () => new TypedSearchAttributes([pair, pair]),
    TypeError,
    'Cannot set search attribute "total": it is given twice',
  );
  const wrong = [[total, 1.5], [total, "1"], [customer, 1], [since, 0], [{ name: "x", type: "KEYWORD_LIST" }, [1]]];
  for (const [key, value] of wrong) {
    assertThrows(() => new TypedSearchAttributes([{ key, value }] as never), TypeError, "the value is not of the type");
  }
});
