/**
 * Runs an order workflow for each order of a JSON file, stops the executor in the middle, resumes with another executor, and
 * prints what happened: `deno task demo [FILE]`.
 *
 * `deno task demo --store FILE` shows the same with processes: it starts orders on an SQLite file, kills the process, and the next
 * one resumes the orders.
 *
 * `deno task demo --inspect [--port NUMBER] [FILE]` shows the orders in the inspector, a page on this machine, until Ctrl-C ends it.
 *
 * @module
 */

import { InspectError, inspectStory } from "./inspect.ts";
import { killAndResume, KilledOrdersError } from "./kill_and_resume.ts";
import { OrdersFileError, readOrders } from "./read_orders.ts";
import { formatStory } from "./report.ts";
import { playStory, type Story } from "./story.ts";

const WAY_OUT =
  "pass the path of a JSON file with orders, --inspect and --port, --store and the path of an SQLite file, or nothing";

const SAMPLE = "examples/orders.json";

try {
  const [first, ...rest] = Deno.args;
  if (first === "--store") {
    if (rest.length !== 1) fail(`Cannot run the demo with ${rest.length} paths after --store: want one; ${WAY_OUT}`);
    await killAndResume(rest[0], console.log);
  } else if (first === "--inspect") {
    const port = rest[0] === "--port" ? readPort(rest.splice(0, 2)[1]) : 0;
    const story = await play(rest);
    const orders = story.orders.length === 1 ? "1 order" : `${story.orders.length} orders`;
    await inspectStory(story, port, (url) => console.log(`The inspector shows ${orders}: ${url} (Ctrl-C ends it)`));
  } else {
    console.log(formatStory(await play(Deno.args), first ?? SAMPLE));
  }
} catch (error) {
  if (!(error instanceof OrdersFileError || error instanceof KilledOrdersError || error instanceof InspectError)) {
    throw error;
  }
  fail(error.message);
}

/** Plays the story with the orders of a file; with those of the sample by default. */
async function play(files: readonly string[]): Promise<Story> {
  const [file] = files;
  if (file?.startsWith("-")) fail(`Cannot run the demo with the option ${file}: ${WAY_OUT}`);
  if (files.length > 1) fail(`Cannot run the demo with ${files.length} arguments: it takes one file at most`);
  const isSample = file === undefined;
  return await playStory(await readOrders(isSample ? new URL("orders.json", import.meta.url) : file, file ?? SAMPLE));
}

function readPort(text: string | undefined): number {
  const port = Number(text);
  if (text !== undefined && /^\d+$/.test(text) && port <= 65_535) return port;
  fail(`Cannot run the demo with the port ${text ?? "missing"}: want a number from 0 to 65535`);
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(1);
}
