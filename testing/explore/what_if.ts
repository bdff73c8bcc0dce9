/**
 * What becomes of a workflow if one thing goes wrong, as a table: each activity × each way to fail.
 *
 * Owns which runs a cell of the table is made of, and the report. A run is made by `play()`.
 *
 * @module
 */

import type { WorkflowFunction } from "../../context.ts";
import { checkBoolean, checkFunction, checkOptions } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { grouped } from "../../util/show_value.ts";
import { mistakesIn, unansweredIn } from "../crash/plain_run.ts";
import { formatHistories, hintsOn, ranOf } from "../crash/report.ts";
import { type ResolvedScenario, resolveScenario } from "../crash/scenario.ts";
import { Standstills } from "../crash/standstills.ts";
import type { ActivityCall } from "../fakes.ts";
import { checkFailures, defaultFailures, edgesOf, type Question } from "./choices.ts";
import { ExplorationError, type ExploreArgs, type ExploreOptions } from "./explore_options.ts";
import { play, type PlayedRun, troubleText } from "./one_run.ts";
import {
  endOf,
  formatReport,
  isBad,
  isWorse,
  lastAttempt,
  nameOf,
  reasonOf,
  type WhatIfCell,
  type WhatIfReport,
} from "./what_if_report.ts";
import { type Decision, type Way, waysOf } from "./what_if_ways.ts";

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
  "orders" | "crashes" | "faults" | "cancels" | "delays" | "storeFaults" | "maxDeviations" | "maxRuns" | "replay"
>;

/**
 * The arguments of {@linkcode whatIf} after the workflow. They may be left out if the workflow takes no input.
 *
 * @category Testing
 */
export type WhatIfArgs<Input, Output, Signals extends readonly unknown[]> = ExploreArgs<Input, Output, Signals> extends
  readonly [infer Options] ? [
    options: Omit<
      Options,
      "orders" | "crashes" | "faults" | "cancels" | "delays" | "storeFaults" | "maxDeviations" | "maxRuns" | "replay"
    >,
  ]
  : [options?: WhatIfOptions<Input, Output, Signals>];

/**
 * Asks of each activity of a workflow: what if it fails, always fails, fails for good, works without an answer, never answers; what if
 * the process dies or the workflow is cancelled while it is in flight? Each is a run in virtual time, without anything else that goes
 * wrong. The first command of each activity is meant.
 *
 * An activity that runs only after something has gone wrong, such as that of a compensation, has a row too: the same is asked of it in
 * one run that calls it, that in which the latest activity goes wrong; `after` says which one that is. What is called only in these runs
 * is `missing`.
 *
 * With `recorded()` in `activities`, it asks about a run that is stored. A cell whose run needs an answer that the history does not have
 * is `unknown`, and the answer is `missing`.
 *
 * A run makes at most 2,000 writes. An activity whose policy allows 1,000 attempts is called so often in each cell in which it always
 * fails: replace one that takes real time, or pass fewer attempts, and the table comes sooner.
 *
 * What it cannot see: other orders, and other pairs of things that go wrong in one run. `explore()` does.
 *
 * @param workflow The workflow.
 * @param args Its input and the other options. Give `check`: it decides what is wrong.
 * @returns The cells, and a table. It does not throw if something goes wrong: assert that `bad` and `missing` are empty, or look at the
 * table.
 * @throws {ExplorationError} If the run in which nothing goes wrong is stuck, calls no activity, or shows a mistake in the test (see
 * `expectFailure`), or if `check` throws there.
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
  checkBoolean("expectFailure", options.expectFailure, ACTION);
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
  expectFailure: true,
  edges: true,
  failures: true,
};

/** One thing that goes wrong in a run. */
interface Mishap {
  /** In words, such as `mail fails`. */
  readonly what: string;
  /** The first call of the activity. */
  readonly call: ActivityCall;
  readonly decide: Decision;
}

/** An activity that is asked about: its first call, and what goes wrong before, if it is called only then. */
interface Row {
  readonly call: ActivityCall;
  readonly after: Mishap | undefined;
}

class Questions {
  readonly #scenario: ResolvedScenario;
  readonly #options: WhatIfOptions;
  readonly #cells: WhatIfCell[] = [];
  readonly #standstills = new Standstills();
  readonly #missing = new Set<string>();
  /** The activities that have a row. */
  readonly #known = new Set<string>();
  /** Other activities that were called, by name. */
  #found = new Map<string, Row & { readonly isGood: boolean }>();

  constructor(scenario: ResolvedScenario, options: WhatIfOptions) {
    this.#scenario = scenario;
    this.#options = options;
  }

  async ask(): Promise<WhatIfReport> {
    const { played } = await this.#play([]);
    if (played.complaint !== undefined) throw this.#error("cannot be tried", played, [played.complaint]);
    const mistakes = mistakesIn(played.run, this.#options.expectFailure);
    if (mistakes.length > 0) throw this.#error("cannot be tried", played, mistakes, played.run!.error);
    if (played.trouble !== undefined) {
      throw this.#error("goes wrong although nothing happens to it", played, [], played.trouble.error);
    }
    const plain = played.run!;
    if (plain.calls.length === 0) {
      throw this.#error("calls no activity, so there is nothing to try", played, [
        `It ended without a call, ${played.outcome}`,
        'Pass the "input" and the "signals" with which it calls one; explore() tests a workflow that calls none',
      ]);
    }
    await this.#askAbout([...firstCalls(plain.calls)].map((call) => ({ call, after: undefined })));
    const found = [...this.#found.values()];
    this.#found.clear();
    await this.#askAbout(found);
    for (const { call, after } of this.#found.values()) {
      this.#missing.add(`${call.name} is called only if two things go wrong, such as ${after!.what}`);
    }
    const [cells, missing] = [this.#cells, [...this.#missing]];
    const bad = cells.filter(isBad).map((cell) => `${nameOf(cell)}: ${cell.end}`);
    return { cells, plain, bad, missing, table: () => formatReport(cells, missing) };
  }

  async #askAbout(rows: readonly Row[]): Promise<void> {
    const { failures = defaultFailures, edges = {} } = this.#options;
    for (const { call } of rows) this.#known.add(call.name);
    for (const row of rows) {
      for (const way of waysOf(failures, edgesOf(edges, row.call.name).keys())) await this.#askCell(row, way);
    }
  }

  /** Makes the runs of a cell, and keeps the worst. */
  async #askCell({ call, after }: Row, { what, decisions }: Way): Promise<void> {
    const about = { activity: call.name, after: after?.what, what };
    let worst: WhatIfCell | undefined;
    for (const decide of decisions) {
      const mishap = { what: nameOf(about), call, decide };
      const { played, happened } = await this.#play(after === undefined ? [mishap] : [mishap, after]);
      if (!happened.has(mishap)) continue;
      const cell = { ...about, ...this.#judge(played) };
      for (const one of firstCalls(played.run?.calls ?? [])) {
        if (!this.#known.has(one.name) && cell.end !== "unknown") {
          this.#find({ call: one, after: mishap }, !isBad(cell));
        }
      }
      if (worst === undefined || isWorse(cell.end, worst.end)) worst = cell;
    }
    if (worst === undefined) this.#missing.add(`${nameOf(about)} was not reached`);
    else this.#cells.push(worst);
  }

  /**
   * Notes a run in which an activity was called that has no row. Best is one that ends well, and in which the latest activity goes
   * wrong: then there is the most to undo.
   */
  #find({ call, after }: Required<Row>, isGood: boolean): void {
    const found = this.#found.get(call.name);
    const isBetter = found === undefined || isGood && (!found.isGood || found.after!.call.name !== after!.call.name);
    if (isBetter) this.#found.set(call.name, { call, after, isGood });
  }

  #judge(played: PlayedRun): Pick<WhatIfCell, "end" | "detail" | "story"> {
    const unanswered = unansweredIn(played.run?.calls ?? []);
    if (unanswered.length > 0) {
      for (const one of unanswered) this.#missing.add(`the recorded history has no answer for ${one}`);
      return { end: "unknown", detail: `the recorded history has no answer for ${unanswered[0]}`, story: undefined };
    }
    const end = endOf(played);
    if (end === "retrying") {
      const attempts = grouped(lastAttempt(played.run!.states));
      return { end, detail: `attempt ${attempts} fails, too, and what comes later is not tried`, story: undefined };
    }
    if (!isBad({ end })) return { end, detail: played.outcome, story: undefined };
    return { end, detail: reasonOf(played.trouble!), story: this.#storyOf(played) };
  }

  #error(failure: string, played: PlayedRun, lines: readonly string[], cause?: unknown): ExplorationError {
    const message = [`Workflow ${show(this.#scenario.name)} ${failure}`, ...lines, this.#storyOf(played)];
    return new ExplorationError(message.join("\n"), [], 0, cause === undefined ? undefined : { cause });
  }

  #storyOf({ trouble, choices, run, deaths }: PlayedRun): string {
    return [
      ...(trouble === undefined
        ? []
        : [troubleText(trouble), ...hintsOn(trouble, ranOf(this.#scenario.workflows, run?.states ?? []))]),
      ...choices.storyLines(),
      formatHistories("This run", run?.states ?? [], deaths),
    ].join("\n");
  }

  /** Makes a run in which some things go wrong. `happened` says which of them did. */
  async #play(mishaps: readonly Mishap[]): Promise<{ played: PlayedRun; happened: ReadonlySet<Mishap> }> {
    const { failures = defaultFailures, edges = {} } = this.#options;
    const happened = new Set<Mishap>();
    const decide = (question: Question) => {
      const isAttempt = question.about.startsWith("activity ");
      for (const mishap of mishaps) {
        if (!isAttempt && happened.has(mishap)) continue; // a crash or a cancellation happens once
        const isMeant = mishap.decide(question, ({ idempotencyKey }) => idempotencyKey === mishap.call.idempotencyKey);
        const chosen = isMeant === undefined ? -1 : question.options.findIndex(isMeant);
        if (chosen <= 0) continue;
        happened.add(mishap);
        return chosen;
      }
      return 0;
    };
    const budgets = { crashes: mishaps.length, faults: Infinity, cancels: mishaps.length };
    const played = await play(this.#scenario, { orders: false, failures, edges, budgets, decide }, this.#options);
    const standstill = this.#standstills.note(played.held);
    if (standstill !== undefined) throw this.#error("cannot be tried", played, [standstill]);
    return { played, happened };
  }
}

/** The first call of each activity, in order. */
function firstCalls(calls: readonly ActivityCall[]): Iterable<ActivityCall> {
  const firsts = new Map<string, ActivityCall>();
  for (const call of calls) if (!firsts.has(call.name)) firsts.set(call.name, call);
  return firsts.values();
}
