/** The walks are complete: they have a row for everything that the declarations of the package name. */

import { assertEquals } from "@std/assert";
import { CALLBACKS, NOT_CALLED, SAME } from "./callbacks.ts";
import { KIT } from "./kit.ts";
import { METHODS, SAME_METHODS } from "./methods.ts";
import { readSurface, temporalEntries } from "./surface.ts";
import { TEMPORAL, TEMPORAL_METHODS, TEMPORAL_NOT_CALLED } from "./temporal.ts";

/** Rows can say more than the place: after a blank or a comma. */
const places = (...tables: Readonly<Record<string, unknown>>[]): Set<string> =>
  new Set(tables.flatMap((table) => Object.keys(table).map((name) => name.split(/,? (?=of|after|while)|, /)[0])));

Deno.test("harm: each function that callers give in has a row in the walk", async () => {
  const { callbacks } = await readSurface();
  const walked = places(CALLBACKS, KIT);
  const known = new Set([...walked, ...NOT_CALLED, ...Object.keys(SAME)]);
  assertEquals([...callbacks].filter((place) => !known.has(place)), [], "without a row");
  assertEquals([...known].filter((place) => !callbacks.has(place)), [], "rows of nothing");
  assertEquals(Object.values(SAME).filter((place) => !walked.has(place)), []);
});

Deno.test("harm: each method that hands out a promise has a row in the walk", async () => {
  const { promises } = await readSurface();
  const walked = places(METHODS);
  const known = new Set([...walked, ...Object.keys(SAME_METHODS)]);
  assertEquals([...promises].filter((place) => !known.has(place)), [], "without a row");
  assertEquals([...known].filter((place) => !promises.has(place)), [], "rows of nothing");
  assertEquals(Object.values(SAME_METHODS).filter((place) => !walked.has(place)), []);
});

Deno.test("harm: each function of the interface of Temporal that callers give in, or that hands out a promise, has a row", async () => {
  const { callbacks, promises } = await readSurface(temporalEntries);
  const known = new Set([...places(TEMPORAL), ...TEMPORAL_NOT_CALLED]);
  assertEquals([...callbacks].filter((place) => !known.has(place)), [], "without a row");
  assertEquals([...known].filter((place) => !callbacks.has(place)), [], "rows of nothing");
  assertEquals([...promises].sort(), Object.keys(TEMPORAL_METHODS).sort());
});
