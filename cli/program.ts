/**
 * The command line as a program: Deno, Node and Bun.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import system from "node:process";
import { fileURLToPath } from "node:url";
import { messageOf } from "./failure.ts";
import { main } from "./main.ts";

/** Whether a module is the program that runs. Node before 24.2 does not say it. */
export function isProgram(meta: { readonly main?: boolean; readonly url: string }): boolean {
  if (meta.main !== undefined) return meta.main;
  try {
    return system.argv[1] !== undefined && realpathSync(system.argv[1]) === realpathSync(fileURLToPath(meta.url));
  } catch {
    return false;
  }
}

/** Runs the command line of the process, and ends the process. */
export async function runProgram(): Promise<void> {
  const abort = new AbortController();
  const interrupt = () => {
    if (abort.signal.aborted) system.exit(130); // it does not end by itself
    abort.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    try {
      system.on(signal, interrupt);
    } catch {
      // a signal that the system does not have
    }
  }
  // Node 22 warns that its SQLite is experimental.
  system.removeAllListeners("warning");
  // The reader of a pipe may go away: `rockpool list … | head`.
  system.stdout.on("error", (error: Error & { readonly code?: string }) => {
    if (error.code === "EPIPE") system.exit(0);
    system.stderr.write(`Cannot write to the standard output: ${messageOf(error)}\n`, () => system.exit(1));
  });
  const isTerminal = system.stdout.isTTY === true;
  const code = await main(system.argv.slice(2), {
    out: (text) => void system.stdout.write(text),
    error: (text) => void system.stderr.write(text),
    columns: isTerminal ? system.stdout.columns : undefined,
    color: isTerminal && hasColors(),
    signal: abort.signal,
  });
  for (const signal of signals) system.off(signal, interrupt);
  system.exitCode = code; // after a failed write, the next one may never be done
  await new Promise<void>((resolve) => system.stdout.write("", () => resolve()));
  system.exit(code);
}

/** Whether the user wants colours. Deno knows it without asking for a permission. */
function hasColors(): boolean {
  const { Deno } = globalThis as { readonly Deno?: { readonly noColor: boolean } };
  if (Deno !== undefined) return !Deno.noColor;
  const { NO_COLOR = "", TERM } = system.env;
  return NO_COLOR === "" && TERM !== "dumb";
}
