/** The rule of equal intervals. */

import { assertEquals, assertThrows } from "@std/assert";
import { every, type EveryOptions } from "./rule.ts";

const after = (time: number, ms: number, offsetMs?: number) =>
  every(ms, { offsetMs }).nextRun(new Date(time))?.getTime();

Deno.test("every() returns the next whole multiple of the interval, later than the given time", () => {
  assertEquals([0, 1, 999, 1000, -1, -1000].map((time) => after(time, 1000)), [1000, 1000, 1000, 2000, 0, 0]);
});

Deno.test("every() counts from its offset, also a negative one or one above the interval", () => {
  assertEquals([after(0, 1000, 300), after(300, 1000, 300), after(0, 1000, -300), after(0, 1000, 2300)], [
    300,
    1300,
    700,
    300,
  ]);
});

Deno.test("every() refuses what is no interval", () => {
  const rule = '"ms" must be an integer from 1, got';
  assertThrows(() => every(0), RangeError, `Cannot make a rule: ${rule} 0`);
  assertThrows(() => every(Infinity), RangeError, `Cannot make a rule: ${rule} Infinity`);
  assertThrows(() => every(1000 / 3), RangeError, `Cannot make a rule: ${rule} 333.3333333333333`);
  const offset = 'Cannot make a rule: "offsetMs" must be an integer, got';
  for (const offsetMs of [NaN, 0.5, -Infinity]) {
    assertThrows(() => every(1, { offsetMs }), RangeError, `${offset} ${offsetMs}`);
  }
  const unknown = 'Cannot make a rule: "options" has no option "offset"; did you mean "offsetMs"?';
  assertThrows(() => every(1, { offset: 5 } as EveryOptions), TypeError, unknown);
});

Deno.test("every() has no time later than the last Date", () => {
  assertEquals(after(1, Number.MAX_VALUE), undefined);
  assertEquals(after(8.64e15, 1000), undefined);
  assertEquals(after(8.64e15 - 1, 1000), 8.64e15);
});

Deno.test("every() is exact with a huge offset", () => {
  assertEquals(after(1, 1000, 2 ** 70), 1000 * Math.ceil(1 / 1000) + 2 ** 70 % 1000 - 1000);
  assertEquals(after(1, 8.64e15, Number.MAX_VALUE), Number.MAX_VALUE % 8.64e15);
});
