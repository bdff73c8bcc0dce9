import { assertEquals } from "@std/assert";
import { story } from "./saga.ts";

Deno.test("examples/saga.ts undoes the trip, also after a crash", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "flight booked",
    "hotel booked",
    "The car is sold out",
    "no car to release",
    "hotel released",
    "--- the process dies before that is recorded; another one recovers",
    "no hotel to release",
    "flight released",
    "The trip has failed: The car is sold out",
    "In its history: release car, release hotel, release flight; still booked: nothing",
  ]);
});
