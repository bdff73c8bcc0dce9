/**
 * Plays random worlds for a while: many at once, in virtual time and in real time, on one event loop. Each world has executors
 * that close and come back, a store that fails, limits, children, continued runs, updates, signals and scopes; its invariants
 * are in `tests/support/soak_world.ts`. The soak itself looks for unhandled rejections and for memory that is not freed.
 *
 * ```
 * deno task soak [MINUTES]        10 minutes by default
 * deno task soak --seed SEED      one world again, which failed
 * ```
 *
 * Prints a line a minute, and the seed of each world that goes wrong. The exit code is 1 if one does.
 *
 * @module
 */

import { collectGarbage } from "../tests/support/executors.ts";
import { playWorld, type WorldReport } from "../tests/support/soak_world.ts";

/** How many worlds run at once. Those in real time mostly wait. */
const [VIRTUAL_AT_ONCE, REAL_AT_ONCE] = [4, 60];
/** How much memory a world may leave, in bytes. What the runtime itself keeps is within this. */
const MAX_BYTES_PER_WORLD = 200;
/** How many failures are printed in full. */
const SHOWN = 20;

const failures: string[] = [];
const totals = { worlds: 0, real: 0, runs: 0, events: 0, signals: 0, answers: 0, restarts: 0, faults: 0 };

function fail(what: string, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  failures.push(what);
  if (failures.length <= SHOWN) console.log(`${what} goes wrong: ${text.slice(0, 4000)}`);
}

globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail("An unhandled rejection", event.reason);
});

async function play(seed: number, isVirtual: boolean): Promise<void> {
  try {
    add(await playWorld(seed, { isVirtual }));
  } catch (error) {
    fail(`World ${seed} (repeat it with: deno task soak --seed ${isVirtual ? "" : "-"}${seed})`, error);
  }
}

function add({ isVirtual, ...counts }: WorldReport): void {
  totals.worlds++;
  if (!isVirtual) totals.real++;
  for (const [name, count] of Object.entries(counts)) totals[name as keyof typeof totals] += count;
}

/** Plays worlds until a time, and waits for the last of them. */
async function playUntil(endsAt: number, nextSeed: () => number): Promise<void> {
  const lane = async (isVirtual: boolean) => {
    while (performance.now() < endsAt) await play(nextSeed(), isVirtual);
  };
  const lanes = Array.from({ length: VIRTUAL_AT_ONCE + REAL_AT_ONCE }, (_, i) => lane(i < VIRTUAL_AT_ONCE));
  await Promise.all(lanes);
}

/** The size of the heap after a garbage collection, in bytes. */
async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
  }
  return Deno.memoryUsage().heapUsed;
}

/** One point of the curve of the heap. */
interface Point {
  readonly worlds: number;
  readonly bytes: number;
}

/** How many bytes each world leaves: the slope of the line through the points after the first, by least squares. */
function bytesPerWorld(points: readonly Point[]): number {
  const settled = points.slice(1); // code is compiled, and caches are filled, in the first minute
  const mean = (of: (point: Point) => number) => settled.reduce((sum, point) => sum + of(point), 0) / settled.length;
  const [worlds, bytes] = [mean((point) => point.worlds), mean((point) => point.bytes)];
  let [up, across] = [0, 0];
  for (const point of settled) {
    up += (point.worlds - worlds) * (point.bytes - bytes);
    across += (point.worlds - worlds) ** 2;
  }
  return across === 0 ? 0 : up / across;
}

async function soak(minutes: number): Promise<void> {
  const started = performance.now();
  let seed = Math.floor(Date.now() / 1000) * 1000;
  const steps = Math.max(4, Math.floor(minutes));
  const points: Point[] = [];
  console.log(`Soak of ${minutes} min from seed ${seed + 1}`);
  for (let step = 1; step <= steps; step++) {
    await playUntil(started + step * minutes * 60_000 / steps, () => ++seed);
    points.push({ worlds: totals.worlds, bytes: await heapBytes() });
    const { worlds, real, ...rest } = totals;
    const counts = Object.entries(rest).map(([name, count]) => `${count} ${name}`).join(", ");
    const heap = `heap ${(points.at(-1)!.bytes / 1e6).toFixed(2)} MB, ${bytesPerWorld(points).toFixed(0)} B/world`;
    const passed = ((performance.now() - started) / 60_000).toFixed(1);
    console.log(`${passed} min: ${worlds} worlds (${real} in real time), ${counts}; ${heap}; ${failures.length} wrong`);
  }
  const slope = bytesPerWorld(points);
  if (slope > MAX_BYTES_PER_WORLD) fail("The heap", `it grows by ${slope.toFixed(0)} bytes with each world`);
}

const [first = "10", second] = Deno.args;
if (first === "--seed") {
  Error.stackTraceLimit = 50;
  await play(Math.abs(Number(second)), !second?.startsWith("-"));
} else {
  const minutes = Number(first);
  if (!(minutes > 0)) throw new RangeError(`Cannot soak: the minutes must be above 0, got ${first}`);
  Error.stackTraceLimit = 0; // the stacks of the many errors would take a third of the time
  await soak(minutes);
}
console.log(failures.length === 0 ? "Nothing went wrong" : `${failures.length} went wrong:\n${failures.join("\n")}`);
Deno.exit(failures.length === 0 ? 0 : 1);
