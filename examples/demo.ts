/**
 * Runs an order workflow for each order of a JSON file, stops the executor in the middle, resumes with another executor, and
 * prints what happened: `deno task demo [FILE]`.
 *
 * `deno task demo --store FILE` shows the same with processes: it starts orders on an SQLite file, kills the process, and the next
 * one resumes the orders.
 *
 * @module
 */

import { killAndResume, KilledOrdersError } from "./kill_and_resume.ts";
import { OrdersFileError, readOrders } from "./read_orders.ts";
import { formatStory } from "./report.ts";
import { playStory } from "./story.ts";

const WAY_OUT = "pass the path of a JSON file with orders, --store and the path of an SQLite file, or nothing";

const [first, ...rest] = Deno.args;
try {
  if (first === "--store") {
    if (rest.length !== 1) fail(`Cannot run the demo with ${rest.length} paths after --store: want one; ${WAY_OUT}`);
    await killAndResume(rest[0], console.log);
  } else {
    if (first?.startsWith("-")) fail(`Cannot run the demo with the option ${first}: ${WAY_OUT}`);
    if (rest.length > 0) fail(`Cannot run the demo with ${Deno.args.length} arguments: it takes one file at most`);
    const orders = first === undefined
      ? await readOrders(new URL("orders.json", import.meta.url), "examples/orders.json")
      : await readOrders(first);
    console.log(formatStory(await playStory(orders), first ?? "examples/orders.json"));
  }
} catch (error) {
  if (!(error instanceof OrdersFileError || error instanceof KilledOrdersError)) throw error;
  fail(error.message);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(1);
}
