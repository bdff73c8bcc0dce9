/**
 * Starts a process with orders, kills it in the middle, starts the next process, and reports which of them ran what.
 *
 * It reads only what the processes print; they share nothing but the SQLite file. The program is `killed_orders.ts`.
 *
 * @module
 */

import { STEPS } from "./killed_orders.ts";
import { wrap } from "./wrap.ts";

const WIDTH = 100;
const PROGRAM = new URL("killed_orders.ts", import.meta.url).href;

/** A process of the demo has failed. */
export class KilledOrdersError extends Error {
  override readonly name = "KilledOrdersError";
}

/** What happened in one process. */
interface Process {
  readonly pid: number;
  /** `ORDER STEP`, in the order of the calls. */
  readonly ran: readonly string[];
  /** `ORDER STEP` that the file had at the start. */
  readonly recorded: ReadonlySet<string>;
  /** The orders of the file that the process resumed. */
  readonly resumed: readonly string[];
  /** The orders that it saw the end of. */
  readonly finished: readonly string[];
  /** The call during which it was killed. */
  readonly killedIn: string | undefined;
}

/**
 * Runs the demo.
 *
 * @param file The path of the SQLite file. Orders of an earlier demo in it are resumed as well.
 * @param print Is called with each part of the report.
 * @throws {KilledOrdersError} If a process fails, for example because the file is no database.
 */
export async function killAndResume(file: string, print: (text: string) => void): Promise<void> {
  const say = (text: string) => print(wrap(text, WIDTH).join("\n"));
  // The third new order is at its last step then; the others are before or behind it.
  let shipping = 0;
  const first = await runProcess(
    file,
    ["new"],
    (line) => /^runs .* ship$/.test(line) && ++shipping === 3,
    (pid) => say(`Process ${pid} starts orders on ${file}. Each is a workflow of ${STEPS.length} activities.`),
  );
  if (first.killedIn === undefined) throw new KilledOrdersError("Cannot show the kill: the process ended before it");
  say(`kill -9 ${first.pid}, while ${first.killedIn.replace(" ", ": ")} was running.`);
  const second = await runProcess(
    file,
    [],
    () => false,
    (pid) => say(`Process ${pid} opens ${file}, and calls recover().`),
  );
  say(`It has resumed ${second.resumed.length} orders, and finished them. Which process ran each step:`);
  print(`\n${table(first, second)}\n`);
  const again = second.ran.filter((call) => second.recorded.has(call)).length;
  const twice = second.ran.filter((call) => first.ran.includes(call)).length;
  say(`${second.recorded.size} calls of unfinished orders were recorded before the kill: ${again} of them ran again.`);
  say(
    `${twice} calls were running at the kill, so nothing was recorded of them: they ran again. An activity runs at least ` +
      "once. Its context has an idempotency key, by which a service knows a repeated call.",
  );
}

/** Runs the program. Kills it when a line says so. */
async function runProcess(
  file: string,
  args: readonly string[],
  killAt: (line: string) => boolean,
  started: (pid: number) => void,
): Promise<Process> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", PROGRAM, file, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  started(child.pid);
  const errors = new Response(child.stderr).text();
  const lines: string[] = [];
  let killedIn: string | undefined;
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    const whole = (text + part).split("\n");
    text = whole.pop()!;
    for (const line of whole) {
      lines.push(line);
      if (killedIn !== undefined || !killAt(line)) continue;
      child.kill("SIGKILL");
      killedIn = line.replace("runs ", "");
    }
  }
  const { success } = await child.status;
  if (!success && killedIn === undefined) throw new KilledOrdersError(errorIn(await errors));
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  return {
    pid: child.pid,
    ran: after("runs"),
    recorded: new Set(after("recorded")),
    resumed: after("resumed"),
    finished: after("finished"),
    killedIn,
  };
}

/** The message of an error that ended a process. */
function errorIn(stderr: string): string {
  return stderr.match(/Error: (.*)/)?.[1] ?? stderr;
}

/** A row for each order, a column for each step: which process ran it. */
function table(first: Process, second: Process): string {
  const calls = [...first.ran, ...second.ran];
  const orders = [...new Set(calls.map((call) => call.split(" ")[0]))];
  const rows = orders.map((order) => [
    order,
    ...STEPS.map((step) => {
      const call = `${order} ${step}`;
      const pids = [first, second].filter(({ ran }) => ran.includes(call)).map(({ pid }) => pid);
      // An order of an earlier demo may have begun in another process.
      return pids.length === 0 ? "before" : pids.join(", then ");
    }),
    [...first.finished, ...second.finished].includes(order) ? "finished" : "not finished",
  ]);
  const all = [["", ...STEPS, ""], ...rows];
  const widths = all[0].map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()}`).join("\n");
}
