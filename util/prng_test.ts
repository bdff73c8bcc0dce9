/** What random IDs hold in memory. The random numbers are tested by what uses them. */

import { assert, assertMatch, assertNotEquals } from "@std/assert";
import { collectGarbage } from "../tests/support/executors.ts";
import { randomId } from "./prng.ts";

Deno.test("randomId() returns another UUID each time", () => {
  assertMatch(randomId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertNotEquals(randomId(), randomId());
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
