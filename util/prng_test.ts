/** Random IDs: that each is another one, and what they hold in memory. The random numbers are tested by what uses them. */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { collectGarbage } from "../tests/support/executors.ts";
import { randomId } from "./prng.ts";

Deno.test("randomId() returns another UUID each time", () => {
  assertMatch(randomId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertNotEquals(randomId(), randomId());
});

Deno.test("randomId() returns another ID each time if crypto.randomUUID() is a constant or missing", () => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
  const constant = "00000000-0000-4000-8000-000000000000";
  try {
    for (const fake of [{ randomUUID: () => constant }, {}, undefined]) {
      Object.defineProperty(globalThis, "crypto", { value: fake, configurable: true, writable: true });
      const ids = Array.from({ length: 100 }, randomId);
      assertEquals(new Set(ids).size, 100);
      assertMatch(ids[0], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  } finally {
    Object.defineProperty(globalThis, "crypto", real);
  }
});

Deno.test("randomId() keeps no other ID in memory", () => {
  const count = 1_000;
  const heap = () => {
    collectGarbage();
    return Deno.memoryUsage().heapUsed;
  };
  const kept: string[] = new Array(count).fill("");
  const before = heap();
  for (let i = 0; i < 128 * count; i++) kept[i >> 7] = randomId();
  const bytes = (heap() - before) / kept.length;
  assert(bytes < 1_000, `an ID takes ${bytes} bytes`);
});
