import { assertEquals, assertThrows } from "@std/assert";
import { defineQuery, defineSignal, defineUpdate, type UpdateDefinitionOptions } from "@rockpool/workflow";

Deno.test("defineSignal(), defineQuery() and defineUpdate() return frozen definitions", () => {
  const validate = () => {};
  const definitions = [defineSignal("s"), defineQuery("q"), defineUpdate("u"), defineUpdate("u", { validate })];
  assertEquals(definitions, [
    { kind: "signal", name: "s" },
    { kind: "query", name: "q" },
    { kind: "update", name: "u" },
    { kind: "update", name: "u", validate },
  ]);
  assertEquals(definitions.map(Object.isFrozen), [true, true, true, true]);
});

Deno.test("defineSignal(), defineQuery() and defineUpdate() refuse a name that is no text", () => {
  for (const [name, got] of [["", '""'], [undefined, "undefined"], [7, "7"], [{}, "an Object"]] as [string, string][]) {
    const defines: Record<string, (name: string) => unknown> = {
      signal: defineSignal,
      query: defineQuery,
      update: defineUpdate,
    };
    for (const [kind, define] of Object.entries(defines)) {
      assertEquals(
        assertThrows(() => define(name), TypeError).message,
        `Cannot define ${kind}: "name" must be a non-empty string, got ${got}`,
      );
    }
  }
});

const wrong: [options: unknown, complaint: string][] = [
  [null, '"options" must be an object, got null'],
  [7, '"options" must be an object, got 7'],
  [{ validate: "x" }, '"validate" must be a function, got "x"'],
  [{ Validate: () => {} }, '"options" has no option "Validate"; did you mean "validate"?'],
  [{ input: 7 }, '"options" has no option "input"; the options are "validate"'],
];

for (const [options, complaint] of wrong) {
  Deno.test(`defineUpdate() throws that ${complaint}`, () => {
    const error = assertThrows(() => defineUpdate("add", options as UpdateDefinitionOptions<never>), TypeError);
    assertEquals(error.message, `Cannot define update "add": ${complaint}`);
  });
}
