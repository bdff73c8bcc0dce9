/**
 * The commands, their arguments and flags, and the texts that explain them.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { WorkflowFilter, WorkflowStatus } from "../types.ts";
import { show } from "../util/show.ts";
import { Failure, messageOf } from "./failure.ts";

/** The flags of all commands. */
const FLAGS = {
  "actions": { type: "boolean" },
  "after": { type: "string" },
  "as": { type: "string" },
  "at": { type: "string" },
  "children": { type: "string" },
  "code": { type: "string" },
  "events": { type: "boolean" },
  "help": { type: "boolean", short: "h" },
  "inputs": { type: "boolean" },
  "json": { type: "boolean" },
  "keep-signals": { type: "boolean" },
  "label": { type: "string", multiple: true },
  "limit": { type: "string" },
  "message-id": { type: "string" },
  "module": { type: "string" },
  "name": { type: "string" },
  "open": { type: "boolean" },
  "output": { type: "string", short: "o" },
  "port": { type: "string" },
  "reason": { type: "string" },
  "runner": { type: "string" },
  "since": { type: "string" },
  "status": { type: "string", multiple: true },
  "timeout": { type: "string" },
} as const;

type Flag = keyof typeof FLAGS;

/** The values of the flags that were given. */
export type Flags = {
  readonly [K in Flag]?: (typeof FLAGS)[K] extends { readonly multiple: true } ? readonly string[]
    : (typeof FLAGS)[K]["type"] extends "boolean" ? boolean
    : string;
};

interface CommandHelp {
  /** The arguments: one that ends in `?` may be absent, one that ends in `*` repeats. */
  readonly args: readonly string[];
  readonly flags: readonly Flag[];
  readonly does: string;
}

const FILTER: readonly Flag[] = ["status", "name", "label", "since", "limit"];

/** All commands. */
export const COMMANDS: Readonly<Record<string, CommandHelp>> = {
  list: { args: ["SOURCE"], flags: [...FILTER, "json"], does: "lists runs, the newest first" },
  show: { args: ["SOURCE", "ID"], flags: ["events", "at", "json"], does: "shows a run" },
  watch: { args: ["SOURCE", "ID?"], flags: ["json"], does: "prints events as they come, until the run ends" },
  query: {
    args: ["SOURCE", "ID", "NAME", "ARGS*"],
    flags: ["code", "at", "json"],
    does: "asks a query handler, also as of an earlier event",
  },
  replay: {
    args: ["SOURCE", "ID?"],
    flags: ["code", "inputs", ...FILTER, "json"],
    does: "replays runs against code; exit code 1 if one diverges",
  },
  export: {
    args: ["SOURCE", "ID"],
    flags: ["as", "output", "module", "runner", "at"],
    does: "writes a run as history, test, svg, mermaid, gantt, text or json",
  },
  diff: { args: ["SOURCE", "ID", "OTHER"], flags: ["json"], does: "shows the first event in which two runs differ" },
  signal: { args: ["SOURCE", "ID", "NAME", "PAYLOAD?"], flags: ["message-id", "output"], does: "sends a signal" },
  update: {
    args: ["SOURCE", "ID", "NAME", "INPUT?"],
    flags: ["message-id", "timeout", "json"],
    does: "sends an update, and prints the answer",
  },
  cancel: { args: ["SOURCE", "ID"], flags: ["reason", "output"], does: "asks a run to end" },
  terminate: { args: ["SOURCE", "ID"], flags: ["reason", "output"], does: "ends a run at once, without cleanup" },
  fork: {
    args: ["SOURCE", "ID", "NEW"],
    flags: ["after", "children", "keep-signals", "output"],
    does: "makes a second run from a point of a history",
  },
  serve: { args: ["SOURCE"], flags: ["port", "open", "actions", "code"], does: "starts the inspector on this machine" },
  inspect: { args: ["FILE"], flags: ["json"], does: "says what a file is, and whether it is whole" },
};

const FLAG_HELP: Readonly<Record<Flag, string>> = {
  "actions": "the pages can signal, update, cancel and terminate",
  "after": "after which event the new run goes its own way",
  "as": "history, test, svg, mermaid, gantt, text or json",
  "at": "as of this event, counted from 1",
  "children": "repeat or cancel: what becomes of children that are open there",
  "code": "the module that exports the workflows",
  "events": "all events, and none left out",
  "help": "this text",
  "inputs": "what the code passes must be as in the history, too",
  "json": "a line of JSON for each run",
  "keep-signals": "the new run gets the later signals of the old one",
  "label": "only runs with the label KEY=VALUE; can be repeated",
  "limit": "at most so many runs (default of list: 20)",
  "message-id": "identifies the message: repeated, it is stored once",
  "module": "where the test imports the workflow from",
  "name": "only workflows of this name",
  "open": "opens a browser",
  "output": "the file to write; also -o",
  "port": "the port (default 4570)",
  "reason": "why, for the history",
  "runner": "deno or node: which test function the test calls (default deno)",
  "since": "only runs created since then: 30m, 2h, 7d, or a date",
  "status": "running, completed, failed or canceled; can be repeated",
  "timeout": "how long to wait for the answer: 30s (default), 5m",
};

/** A command line that was read. */
export interface Command {
  readonly name: string;
  readonly args: readonly string[];
  readonly flags: Flags;
}

/** Reads a command line. */
export function readCommand(argv: readonly string[]): Command | { readonly help: string } {
  let parsed: { values: Flags; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true }) as never;
  } catch (error) {
    const [message, hint] = messageOf(error).split(/\.? To specify a positional argument/);
    const way = hint === undefined ? "see --help" : 'see --help; an argument that begins with "-" comes after "--"';
    throw new Failure(2, `${message}; ${way}`);
  }
  const { values: flags, positionals: [name, ...args] } = parsed;
  if (name === "help") return { help: helpOf(args[0]) };
  if (name === undefined) {
    if (flags.help) return { help: helpOf(undefined) };
    throw new Failure(2, `No command was given; the commands are ${Object.keys(COMMANDS).join(", ")}; see --help`);
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new Failure(2, `There is no command ${show(name)}; the commands are ${Object.keys(COMMANDS).join(", ")}`);
  }
  if (flags.help) return { help: helpOf(name) };
  const command = COMMANDS[name];
  const needed = command.args.filter((arg) => !/[?*]$/.test(arg)).length;
  const most = command.args.some((arg) => arg.endsWith("*")) ? Infinity : command.args.length;
  if (args.length < needed) throw new Failure(2, `${show(name)} needs ${command.args[args.length]}: ${usageOf(name)}`);
  if (args.length > most) throw new Failure(2, `${show(name)} takes no argument ${show(args[most])}: ${usageOf(name)}`);
  for (const flag of Object.keys(flags) as Flag[]) {
    if (!command.flags.includes(flag)) throw new Failure(2, `${show(name)} has no flag --${flag}: ${usageOf(name)}`);
  }
  return { name, args, flags };
}

function usageOf(name: string): string {
  const { args, flags } = COMMANDS[name];
  const shown = args.map((arg) =>
    arg.endsWith("?") ? `[${arg.slice(0, -1)}]` : arg.endsWith("*") ? `[${arg.slice(0, -1)} …]` : arg
  );
  const known = flags.map((flag) => `[--${flag}${FLAGS[flag].type === "string" ? " …" : ""}]`);
  return `${name} ${[...shown, ...known].join(" ")}`;
}

function helpOf(name: string | undefined): string {
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) {
    const { flags, does } = COMMANDS[name];
    const lines = flags.map((flag) => `  --${flag.padEnd(14)}${FLAG_HELP[flag]}`);
    return [`${usageOf(name)}`, does, ...lines].join("\n");
  }
  const width = Math.max(...Object.entries(COMMANDS).map(([name, { args }]) => `${name} ${args.join(" ")}`.length));
  const lines = Object.entries(COMMANDS).map(([name, { args, does }]) => {
    const usage = `${name} ${args.map((arg) => /[?*]$/.test(arg) ? `[${arg.slice(0, -1)}]` : arg).join(" ")}`;
    return `  ${usage.padEnd(width + 2)}${does}`;
  });
  return [
    "Looks at workflows, from a shell.",
    "",
    ...lines,
    "",
    "SOURCE is an SQLite file, a snapshot, a history file, or the URL of an inspector.",
    "ID is a workflow's ID, the beginning of one, or latest. COMMAND --help shows the flags of a command.",
  ].join("\n");
}

/** Reads the flags that choose runs. */
export function readFilter(flags: Flags, now: number): WorkflowFilter {
  const { status, name, label, since } = flags;
  const statuses: readonly string[] = ["running", "completed", "failed", "canceled"];
  for (const one of status ?? []) {
    if (!statuses.includes(one)) {
      throw new Failure(2, `--status must be one of ${statuses.join(", ")}, got ${show(one)}`);
    }
  }
  const labels = (label ?? []).map((one) => {
    const [, key, value] = /^([^=]+)=([^]*)$/.exec(one) ?? [];
    if (key === undefined) throw new Failure(2, `--label must be KEY=VALUE, got ${show(one)}`);
    return [key, value];
  });
  return {
    ...(status !== undefined && { status: status as readonly WorkflowStatus[] }),
    ...(name !== undefined && { workflowName: name }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(since !== undefined && { createdAfter: readSince(since, now) }),
  };
}

/** A time: a duration before now, or a date. */
function readSince(text: string, now: number): number {
  const ms = durationOf(text);
  const at = ms === undefined ? Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text) : now - ms;
  if (Number.isNaN(at)) throw new Failure(2, `--since must be a duration such as 2h, or a date, got ${show(text)}`);
  return at;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

function durationOf(text: string): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS[unit];
}

/** Reads a flag that is a duration. */
export function readDuration(flag: Flag, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const ms = durationOf(text);
  if (ms === undefined) throw new Failure(2, `--${flag} must be a duration such as 30s, got ${show(text)}`);
  return ms;
}

/** Reads a flag that is a whole number. */
export function readNumber(
  flag: Flag,
  text: string | undefined,
  otherwise: number,
  min: number,
  max = Infinity,
): number {
  if (text === undefined) return otherwise;
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  const range = max === Infinity ? `from ${min}` : `from ${min} to ${max}`;
  throw new Failure(2, `--${flag} must be a whole number ${range}, got ${show(text)}`);
}

/** A value on the command line: JSON, or else a text. */
export function readValue(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
