import { assertEquals, assertThrows } from "@std/assert";
import { checkOptions, checkSignal, definedName } from "./check.ts";

const known = { id: true, input: true, retry: true, timeoutMs: true } as const;
const refusal = (options: unknown) =>
  assertThrows(() => checkOptions(options, known, "execute workflow", "a"), TypeError).message;

Deno.test("checkOptions() accepts the options that it knows", () => {
  checkOptions({}, known, "execute");
  checkOptions({ id: "a", retry: undefined }, known, "execute");
});

Deno.test("checkOptions() refuses an unknown name and suggests the likely one", () => {
  const message = (given: string, likely: string) =>
    `Cannot execute workflow "a": "options" has no option "${given}"; did you mean "${likely}"?`;
  for (const [given, likely] of [["retries", "retry"], ["ID", "id"], ["timeout", "timeoutMs"], ["inptu", "input"]]) {
    assertEquals(refusal({ [given]: 1 }), message(given, likely));
  }
});

Deno.test("checkOptions() lists the options when none is like the given name", () => {
  const all = 'the options are "id", "input", "retry", "timeoutMs"';
  assertEquals(refusal({ zzz: 1 }), `Cannot execute workflow "a": "options" has no option "zzz"; ${all}`);
  assertEquals(refusal({ ["z".repeat(9999)]: 1 }).length < 300, true);
  assertEquals(refusal({ constructor: 1 }).includes(all), true);
});

Deno.test("checkOptions() refuses a value that is no object", () => {
  assertEquals(refusal("x"), 'Cannot execute workflow "a": "options" must be an object, got "x"');
});

Deno.test("definedName() returns a name, or that of a definition of the kind", () => {
  assertEquals(definedName("signal", "go", "signal workflow"), "go");
  assertEquals(definedName("signal", { kind: "signal", name: "go" }, "signal workflow"), "go");
});

Deno.test("definedName() refuses a definition of another kind, and an object that is no definition", () => {
  const message = (given: unknown) =>
    assertThrows(() => definedName("signal", given, "signal workflow", "a"), TypeError).message;
  const rule = 'Cannot signal workflow "a": "signal" must be';
  assertEquals(
    message({ kind: "query", name: "go" }),
    `${rule} a name, or a definition made by defineSignal(), got an Object`,
  );
  assertEquals(
    message({ name: "go", payload: 1 }),
    `${rule} a name, or a definition made by defineSignal(), got an Object`,
  );
  assertEquals(message(""), `${rule} a non-empty string, got ""`);
  assertEquals(message(null), `${rule} a non-empty string, got null`);
  const nameless = { kind: "signal" };
  assertEquals(
    message(nameless),
    'Cannot signal workflow "a": "signal.name" must be a non-empty string, got undefined',
  );
});

Deno.test("checkSignal() accepts no signal, a signal, and one of another realm, and nothing else", () => {
  const foreign = { aborted: false, addEventListener() {}, removeEventListener() {} };
  const { removeEventListener: _, ...half } = foreign;
  for (const signal of [undefined, AbortSignal.abort(), foreign]) checkSignal(signal, "wait");
  for (const signal of [null, 5, {}, { aborted: false }, { addEventListener() {} }, half]) {
    assertThrows(() => checkSignal(signal, "wait"), TypeError, 'Cannot wait: "signal" must be an AbortSignal, got ');
  }
});
