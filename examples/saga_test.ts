import { assertEquals } from "@std/assert";
import { NonRetryableError } from "@rockpool/workflow";
import {
  attempts,
  type CrashRun,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  whatIf,
} from "@rockpool/workflow/testing";
import { cancelInFlight, crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";
import { story, trip } from "./saga.ts";

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

const booked = new Set<string>();
const book = (what: string) => void booked.add(what);
const release = (what: string) => void booked.delete(what);
const options: CrashTestOptions = {
  input: ["flight", "hotel", "car"],
  setUp: () => booked.clear(),
  effects: () => [...booked],
};
const busy = [
  replace("book", attempts<string, void>(fails("busy"), book)),
  replace("release", attempts<string, void>(fails("busy"), release)),
];

Deno.test("examples/saga.ts books everything or nothing in a crash and a cancellation at every point", async () => {
  const { undisturbed, canceled } = await crashAndCancelEverywhere(trip, {
    ...options,
    activities: busy,
    check: ({ state }) => assertEquals(booked.size, state.status === "completed" ? 3 : 0),
  });
  assertEquals(undisturbed.state.status, "completed");
  assertEquals(canceled.at(-2)?.state.status, "canceled");
});

Deno.test("examples/saga.ts books nothing when a part is sold out, in a crash and a cancellation at every point", async () => {
  const soldOut = (what: string) => what === "car" ? fails(new NonRetryableError("sold out"))() : book(what);
  const { undisturbed } = await crashAndCancelEverywhere(trip, {
    ...options,
    input: ["hotel", "car"],
    activities: [replace("book", attempts<string, void>(fails("busy"), soldOut)), busy[1]],
    check: () => assertEquals(booked.size, 0),
  });
  assertEquals(undisturbed.state.status, "failed");
});

Deno.test("examples/saga.ts books everything or nothing when it is cancelled while a booking is in flight", async () => {
  const activities = [replace("book", book), replace("release", release)];
  await cancelInFlight(trip, { ...options, activities }, () => assertEquals([0, 3].includes(booked.size), true));
});

/** The whole trip, or nothing. */
const wholeOrNothing = {
  input: ["flight", "hotel"],
  setUp: () => booked.clear(),
  activities: [replace("book", book), replace("release", release)],
  check: ({ state }: CrashRun) => assertEquals(booked.size, state.status === "completed" ? 2 : 0),
};

Deno.test("examples/saga.ts books everything or nothing in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(trip, { ...wholeOrNothing, ...bounds, cancels: 2, maxRuns: 800 });
  assertEquals(missing, []);
});

Deno.test("examples/saga.ts books everything or nothing if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(trip, wholeOrNothing);
  assertEquals([bad, missing], [[], []]);
});
