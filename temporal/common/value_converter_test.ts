import { assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { DefaultPayloadConverter, type Payload, ValueError } from "./mod.ts";
import { type Converter, valueConverter } from "./value_converter.ts";

const through = (converter: Converter, value: unknown): unknown => {
  const { toStored, fromStored } = valueConverter(converter);
  return fromStored(structuredClone(toStored(value)));
};

Deno.test('valueConverter("json") copies as Temporal does: bytes and undefined stay, anything else passes through JSON', () => {
  assertEquals(through("json", { at: new Date(0), no: undefined, list: [1, undefined] }), {
    at: "1970-01-01T00:00:00.000Z",
    list: [1, null],
  });
  assertEquals(through("json", undefined), undefined);
  assertEquals(through("json", new Uint8Array([1, 2])), new Uint8Array([1, 2]));
  assertThrows(() => through("json", 1n), ValueError, "Cannot convert a value to JSON: ");
  assertThrows(() => through("json", () => 1), ValueError, "Cannot convert a value to JSON: it is a function");
});

Deno.test("valueConverter() hands out values that code may change", () => {
  for (const converter of ["json", "clone", new DefaultPayloadConverter()] as const) {
    const { toStored, fromStored } = valueConverter(converter);
    const stored = Object.freeze(toStored([1]));
    const value = fromStored(stored) as number[];
    value.push(2);
    assertEquals(value, [1, 2]);
    assertNotStrictEquals(fromStored(stored), value);
  }
});

Deno.test('valueConverter("clone") keeps dates, maps and sets', () => {
  const value = { at: new Date(0), map: new Map([[1, new Set(["a"])]]) };
  assertEquals(through("clone", value), value);
});

Deno.test("valueConverter() returns functions that map() can call", () => {
  for (const converter of ["json", "clone", new DefaultPayloadConverter()] as const) {
    const { toStored, fromStored } = valueConverter(converter);
    assertEquals([1, "a"].map(toStored).map(fromStored), [1, "a"]);
  }
});

Deno.test("valueConverter() stores the payloads of a converter, and reads values that are no payloads", () => {
  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
  }
  const converter = {
    toPayload: (value: unknown): Payload => ({
      metadata: { encoding: new TextEncoder().encode("money") },
      data: new Uint8Array([(value as Money).cents]),
    }),
    fromPayload: <T>({ data }: Payload) => new Money(data![0]) as T,
  };
  assertEquals(through(converter, new Money(7)), new Money(7));
  assertEquals(valueConverter(converter).fromStored({ plain: true }), { plain: true });
});

Deno.test("valueConverter() refuses what is no converter", () => {
  assertThrows(() => valueConverter("xml" as "json"), TypeError, 'must be "json", "clone" or a payload converter');
  assertThrows(() => valueConverter({} as never), TypeError, '"converter.toPayload" must be a function');
});
