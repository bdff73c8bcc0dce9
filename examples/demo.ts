/**
 * Runs an order workflow for each order of a JSON file, stops the executor in the middle, resumes with another executor, and
 * prints what happened: `deno task demo [FILE]`.
 *
 * @module
 */

import { OrdersFileError, readOrders } from "./read_orders.ts";
import { formatStory } from "./report.ts";
import { playStory } from "./story.ts";

const [file, ...rest] = Deno.args;
if (rest.length > 0) fail(`Cannot run the demo with ${Deno.args.length} arguments: it takes one file at most`);
try {
  const orders = file === undefined
    ? await readOrders(new URL("orders.json", import.meta.url), "examples/orders.json")
    : await readOrders(file);
  console.log(formatStory(await playStory(orders), file ?? "examples/orders.json"));
} catch (error) {
  if (!(error instanceof OrdersFileError)) throw error;
  fail(error.message);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(1);
}
