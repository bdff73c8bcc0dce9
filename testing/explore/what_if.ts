/**
 * What becomes of a workflow if one thing goes wrong, as a table: each activity × each way to fail.
 *
 * Owns which runs a cell of the table is made of. A run is made by `play()`.
 *
 * @module
 */

import type { WorkflowFunction } from "../../context.ts";
import { checkFunction, checkOptions } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import type { WorkflowEvent } from "../../types.ts";
import type { CrashRun } from "../crash/crash_options.ts";
import { formatHistories, hintsOn } from "../crash/report.ts";
import { type ResolvedScenario, resolveScenario } from "../crash/scenario.ts";
import type { ActivityCall } from "../fakes.ts";
import {
  type AttemptFailure,
  checkFailures,
  type ChoiceOptions,
  defaultFailures,
  edgesOf,
  type Question,
  SIDES,
} from "./choices.ts";
import { ExplorationError, type ExploreArgs, type ExploreOptions } from "./explore_options.ts";
import { play, type PlayedRun, troubleText } from "./one_run.ts";

const ACTION = "ask what if";

/**
 * Options of {@linkcode whatIf}: those of `explore()` without its bounds.
 *
 * @category Testing
 */
export type WhatIfOptions<
  Input = unknown,
  Output = unknown,
  // deno-lint-ignore no-explicit-any -- signals of any payload
  Signals extends readonly unknown[] = readonly any[],
> = Omit<
  ExploreOptions<Input, Output, Signals>,
  "orders" | "crashes" | "faults" | "cancels" | "maxDeviations" | "maxRuns" | "replay"
>;

/**
 * The arguments of {@linkcode whatIf} after the workflow. They may be left out if the workflow takes no input.
 *
 * @category Testing
 */
export type WhatIfArgs<Input, Output, Signals extends readonly unknown[]> = ExploreArgs<Input, Output, Signals> extends
  readonly [infer Options]
  ? [options: Omit<Options, "orders" | "crashes" | "faults" | "cancels" | "maxDeviations" | "maxRuns" | "replay">]
  : [options?: WhatIfOptions<Input, Output, Signals>];

/**
 * What becomes of a workflow: it completes, fails, fails and undoes what it did, is cancelled, waits forever, or ends so that `check`
 * throws.
 *
 * @category Testing
 */
export type WhatIfEnd = "completed" | "failed" | "compensated" | "canceled" | "stuck" | "wrong";

/**
 * One cell of the table of {@linkcode whatIf}.
 *
 * @category Testing
 */
export interface WhatIfCell {
  /** The name of the activity. */
  readonly activity: string;
  /** What goes wrong, in words. */
  readonly what: string;
  /** What becomes of the workflow; the worst, if it is tried at several points. */
  readonly end: WhatIfEnd;
  /** The result or the error in words, or why it is wrong. */
  readonly detail: string;
  /** What happened, with the timelines, if it is stuck or wrong. */
  readonly story: string | undefined;
}

/**
 * What {@linkcode whatIf} found.
 *
 * @category Testing
 */
export interface WhatIfReport<Output = unknown> {
  /** The cells, row by row. */
  readonly cells: readonly WhatIfCell[];
  /** The run in which nothing goes wrong. */
  readonly plain: CrashRun<Output>;
  /** The cells whose end is `stuck` or `wrong`, in words: for an assertion that there is none. */
  readonly bad: readonly string[];
  /** Shows the cells as a table: a row for each activity. */
  table(): string;
}

/** From good to bad. */
const ENDS: readonly WhatIfEnd[] = ["completed", "canceled", "compensated", "failed", "stuck", "wrong"];

/** Chooses an option by its text; `undefined` is what happens in the plain run. */
type Decision = (question: Question, isMeant: (call: Pick<ActivityCall, "idempotencyKey">) => boolean) =>
  | string
  | undefined;

/** One way to go wrong. Each of its decisions is a run. */
interface Way {
  readonly what: string;
  readonly decisions: readonly Decision[];
}

/** The ways that every activity is tried with. */
function waysOf(failures: readonly AttemptFailure[], returns: Iterable<string>): Way[] {
  /** All attempts, or the first one, go so. */
  const fate = (text: string, always: boolean): Decision => (question, isMeant) => {
    const [call] = question.calls ?? [];
    if (!question.about.startsWith("activity ") || call === undefined || !isMeant(call)) return undefined;
    return always || call.attempt === 1 ? text : undefined;
  };
  const crash = (type: RegExp, side: string): Decision => ({ write }, isMeant) => {
    const isIt = (event: WorkflowEvent) =>
      type.test(event.type) && isMeant({ idempotencyKey: `${write!.batch.runId}:${(event as { seq: number }).seq}` });
    return write?.batch.events.some(isIt) ? side : undefined;
  };
  const cancel: Decision = ({ about, calls }, isMeant) =>
    about === "next" && calls!.some(isMeant) ? "cancel comes" : undefined;
  const many: Partial<Record<AttemptFailure, string>> = {
    fails: "always fails",
    "loses its answer": "loses every answer",
  };
  return [
    ...failures.flatMap((what): Way[] => {
      const always = what === "never answers" || what === "works late";
      const way = { what, decisions: [fate(what, always)] };
      return many[what] === undefined ? [way] : [way, { what: many[what], decisions: [fate(what, true)] }];
    }),
    {
      what: "crash",
      decisions: [
        crash(/^activity_started$/, SIDES.between),
        crash(/^activity_(completed|failed)$/, SIDES.before),
        crash(/^activity_(completed|failed)$/, SIDES.after),
      ],
    },
    { what: "cancel", decisions: [cancel] },
    ...Array.from(returns, (what): Way => ({ what, decisions: [fate(what, true)] })),
  ];
}

/**
 * Asks of each activity of a workflow: what if it fails, always fails, fails for good, works without an answer, never answers; what if
 * the process dies or the workflow is cancelled while it is in flight? Each is a run in virtual time, without anything else that goes
 * wrong. The first command of each activity is meant.
 *
 * What it cannot see: two things that go wrong in one run, other orders, and activities that the plain run does not call, such as those
 * of compensations. `explore()` does.
 *
 * @param workflow The workflow.
 * @param args Its input and the other options. Give `check`: it decides what is wrong.
 * @returns The cells, and a table. It does not throw if something goes wrong: assert that `bad` is empty, or look at the table.
 * @throws {ExplorationError} If the run in which nothing goes wrong is stuck, or `check` throws there.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { whatIf } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const pay = () => "paid";
 * const order = (ctx: WorkflowContext) => ctx.executeActivity(pay); // without a timeout, and without a retry
 *
 * const { bad } = await whatIf(order);
 * assertEquals(bad, ["pay never answers: stuck"]);
 * ```
 */
export async function whatIf<Input, Returned, Signals extends readonly unknown[]>(
  workflow: WorkflowFunction<Input, Returned>,
  ...args: WhatIfArgs<Input, Awaited<Returned>, Signals>
): Promise<WhatIfReport<Awaited<Returned>>> {
  const [options = {}] = args as [WhatIfOptions?];
  checkFunction("workflow", workflow, ACTION);
  checkOptions(options, whatIfNames, ACTION);
  checkFailures(options, ACTION);
  const scenario = resolveScenario(workflow, options, { id: "what-if", executors: 1 }, ACTION);
  return await new Questions(scenario, options).ask() as WhatIfReport<Awaited<Returned>>;
}

/** The names of all options in {@linkcode WhatIfOptions}. */
export const whatIfNames: Readonly<Record<keyof WhatIfOptions, true>> = {
  signals: true,
  updates: true,
  queries: true,
  cancel: true,
  id: true,
  timeoutMs: true,
  activities: true,
  workflows: true,
  setUp: true,
  store: true,
  executor: true,
  input: true,
  onDeath: true,
  effects: true,
  check: true,
  edges: true,
  failures: true,
};

class Questions {
  readonly #scenario: ResolvedScenario;
  readonly #options: WhatIfOptions;

  constructor(scenario: ResolvedScenario, options: WhatIfOptions) {
    this.#scenario = scenario;
    this.#options = options;
  }

  async ask(): Promise<WhatIfReport> {
    const plain = await this.#play(() => 0);
    if (plain.trouble !== undefined) {
      const text = `Workflow ${show(this.#scenario.name)} goes wrong although nothing happens to it\n`;
      throw new ExplorationError(text + this.#storyOf(plain), [], 0, { cause: plain.trouble.error });
    }
    const { calls } = plain.run!;
    const firsts = new Map(calls.toReversed().map((call) => [call.name, call]));
    const names = [...new Set(calls.map(({ name }) => name))];
    const cells: WhatIfCell[] = [];
    for (const name of names) {
      const { failures = defaultFailures, edges = {} } = this.#options;
      for (const way of waysOf(failures, edgesOf(edges, name).keys())) {
        cells.push(await this.#cell(firsts.get(name)!, way));
      }
    }
    const bad = cells.flatMap(({ activity, what, end }) =>
      end === "stuck" || end === "wrong" ? [`${activity} ${what}: ${end}`] : []
    );
    return { cells, bad, plain: plain.run!, table: () => formatTable(names, cells) };
  }

  async #cell(first: ActivityCall, { what, decisions }: Way): Promise<WhatIfCell> {
    const isMeant: Parameters<Decision>[1] = (call) => call.idempotencyKey === first.idempotencyKey;
    let worst: WhatIfCell | undefined;
    for (const decide of decisions) {
      let done = false; // a crash or a cancellation happens once
      const played = await this.#play((question) => {
        const text = done ? undefined : decide(question, isMeant);
        const chosen = text === undefined ? -1 : question.options.findIndex((option) => option.text === text);
        if (chosen > 0 && !question.about.startsWith("activity ")) done = true;
        return Math.max(chosen, 0);
      });
      const end = endOf(played);
      const isBad = end === "stuck" || end === "wrong";
      const detail = played.trouble === undefined ? played.outcome : troubleText(played.trouble);
      const cell = { activity: first.name, what, end, detail, story: isBad ? this.#storyOf(played) : undefined };
      if (worst === undefined || ENDS.indexOf(end) > ENDS.indexOf(worst.end)) worst = cell;
    }
    return worst!;
  }

  #storyOf({ trouble, choices, run, deaths }: PlayedRun): string {
    return [
      troubleText(trouble!),
      ...hintsOn(trouble!, this.#scenario.workflows),
      ...choices.story.map(({ text }, i) => `  ${`${i + 1}`.padStart(2)}. ${text}`),
      formatHistories("This run", run?.states ?? [], deaths),
    ].join("\n");
  }

  #play(decide: ChoiceOptions["decide"]): Promise<PlayedRun> {
    const { failures = defaultFailures, edges = {} } = this.#options;
    const budgets = { crashes: 1, faults: Infinity, cancels: 1 };
    return play(this.#scenario, { orders: false, failures, edges, budgets, decide }, this.#options);
  }
}

function endOf({ trouble, run }: PlayedRun): WhatIfEnd {
  if (trouble !== undefined) return trouble.kind === "endless" ? "stuck" : "wrong";
  const { status, history } = run!.state;
  if (status === "completed") return "completed";
  if (history.some(({ type }) => type === "compensation_started")) return "compensated";
  return status === "canceled" ? "canceled" : "failed";
}

/** A table in Markdown: a row for each activity, a column for each way. */
function formatTable(names: readonly string[], cells: readonly WhatIfCell[]): string {
  const ways = [...new Set(cells.map(({ what }) => what))];
  const rows = [
    ["", ...ways],
    ...names.map((name) => [
      name,
      ...ways.map((way) => cells.find(({ activity, what }) => activity === name && what === way)?.end ?? ""),
    ]),
  ].map((row) => row.map((text) => text.replaceAll("|", "\\|")));
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((text, i) => text.padEnd(widths[i])).join(" | ")} |`;
  return [line(rows[0]), line(widths.map((width) => "-".repeat(width))), ...rows.slice(1).map(line)].join("\n");
}
