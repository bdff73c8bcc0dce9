/**
 * Runs a workflow in every order, and with every failure, that the options allow.
 *
 * Owns which runs are made, and the report. A run is made by `play()`, and its points are found by `Choices`.
 *
 * 1. Runs are made by the number of their deviations from the plain run. So the first run that goes wrong has the fewest.
 * 2. If `maxRuns` leaves out runs, those that are made with the last number of deviations are spread over all of that number.
 * 3. No two runs are left out as equal: what activities have answered shares the variables of the workflow, and the history does not
 *    show them.
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { explore } from "@rockpool/workflow/testing";
 * import { assertEquals } from "@std/assert";
 *
 * let paid = 0;
 * const pay = () => void paid++;
 * const refund = () => void paid--;
 *
 * async function order(ctx: WorkflowContext) {
 *   ctx.addCompensation((ctx) => ctx.executeActivity(refund, undefined, { retry: { maxAttempts: 5 } }));
 *   await ctx.executeActivity(pay, undefined, { timeoutMs: 1000 });
 *   await ctx.waitForSignal("approval");
 * }
 *
 * const { complete, missing } = await explore(order, {
 *   signals: [{ atMs: 100, name: "approval" }],
 *   cancels: 1,
 *   setUp: () => void (paid = 0),
 *   check: ({ state }) => assertEquals(paid, state.status === "completed" ? 1 : 0),
 * });
 * assertEquals([complete, missing], [true, []]);
 * ```
 *
 * @module
 */

import type { WorkflowFunction } from "../../context.ts";
import { checkBoolean, checkFunction, checkInteger, checkOptions, invalid } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { grouped } from "../../util/show_value.ts";
import type { CrashRun } from "../crash/crash_options.ts";
import { mistakesIn, unansweredIn } from "../crash/plain_run.ts";
import { formatHistories, hintsOn, ranOf } from "../crash/report.ts";
import { type ResolvedScenario, resolveScenario } from "../crash/scenario.ts";
import { Standstills } from "../crash/standstills.ts";
import { checkFailures, type ChoiceOptions, defaultFailures, edgesOf, OLD_READ, writeFaults } from "./choices.ts";
import {
  ExplorationError,
  type ExploreArgs,
  exploreNames,
  type ExploreOptions,
  type ExploreReport,
} from "./explore_options.ts";
import { play, type PlayedRun, troubleText } from "./one_run.ts";

const ACTION = "explore";

/** The decisions of a run that differ from the plain run: the indices of points and of their options, in order. */
type Deviations = readonly (readonly [point: number, option: number])[];

/** A run that was made: the runs that deviate once more, after its last deviation, are still to be made. */
interface Branch {
  readonly deviations: Deviations;
  /** The point after its last deviation. */
  readonly from: number;
  /** How many other options that point has, the next one, and so on. */
  readonly others: readonly number[];
}

/** What may be left out. */
type BoundName = "maxDeviations" | "maxRuns" | "replay";

/**
 * Explores a workflow: lets happen, at each point where several things can happen, each of them. An activity answers before or after
 * another one, a signal comes early or late, time passes while an activity is in flight; and as often as the options allow, an activity
 * fails, its answer is lost, it never answers, the workflow is cancelled, the store fails, or the process dies. All in virtual time.
 *
 * The plain run comes first: activities answer in the order in which they began and at once, deliveries come at their times. Then all
 * runs that deviate from it in one point, in two points, and so on. A workflow of a few steps has some hundreds of runs. A larger one
 * has too many: `maxRuns` or `maxDeviations` leaves out some. Then `complete` is false, and `levels` and `table()` say which were made.
 *
 * A run must end, its code must fit its history, and `check` must not throw. The activities should be fakes that do not wait
 * for anything: a function does its work when its attempt begins, and its answer comes when it is chosen.
 *
 * What it cannot see: what goes wrong only with more failures than the options allow, or inside of a function of an activity.
 *
 * @param workflow The workflow.
 * @param args Its input and the other options.
 * @returns How many runs were made, how they ended, and what was reached.
 * @throws {ExplorationError} If a run goes wrong, or the plain run shows a mistake in the test: see `expectFailure`.
 * @throws {TypeError | RangeError} If an argument is invalid.
 *
 * @category Testing
 */
export async function explore<Input, Returned, Signals extends readonly unknown[]>(
  workflow: WorkflowFunction<Input, Returned>,
  ...args: ExploreArgs<Input, Awaited<Returned>, Signals>
): Promise<ExploreReport<Awaited<Returned>>> {
  const [options = {}] = args as [ExploreOptions?];
  checkFunction("workflow", workflow, ACTION);
  checkOptions(options, exploreNames, ACTION);
  checkBounds(options);
  const scenario = resolveScenario(workflow, options, { id: "exploration", executors: 1 }, ACTION);
  return await new Exploration(scenario, options).run() as ExploreReport<Awaited<Returned>>;
}

function checkBounds(options: ExploreOptions): void {
  const { orders, crashes, faults, cancels, delays, storeFaults, maxDeviations, maxRuns, replay, expectFailure } =
    options;
  checkBoolean("orders", orders, ACTION);
  checkBoolean("expectFailure", expectFailure, ACTION);
  for (const [name, bound] of Object.entries({ crashes, faults, cancels, delays, storeFaults })) {
    if (bound !== undefined) checkInteger(name, bound, 0, ACTION);
  }
  if (maxDeviations !== undefined && maxDeviations !== Infinity) {
    checkInteger("maxDeviations", maxDeviations, 0, ACTION);
  }
  if (maxRuns !== undefined) checkInteger("maxRuns", maxRuns, 1, ACTION);
  checkFailures(options, ACTION);
  if (replay !== undefined && !(Array.isArray(replay) && replay.every((one) => /^\d+: ./.test(one)))) {
    throw invalid("replay", replay, 'the "replay" of an ExplorationError', ACTION);
  }
}

class Exploration {
  readonly #scenario: ResolvedScenario;
  readonly #options: ExploreOptions;
  readonly #outcomes = new Map<string, number>();
  readonly #reached = new Map<string, number>();
  /** The answers that a recorded history does not have. */
  readonly #unanswered = new Set<string>();
  readonly #standstills = new Standstills();
  readonly #levels: { made: number; all: number }[] = [];
  #runs = 0;
  #plain: PlayedRun | undefined;

  constructor(scenario: ResolvedScenario, options: ExploreOptions) {
    this.#scenario = scenario;
    this.#options = options;
  }

  async run(): Promise<ExploreReport> {
    const { maxDeviations = Infinity, maxRuns = 2_000, replay } = this.#options;
    const plain = this.#plain = await this.#playWith(() => 0);
    if (plain.complaint !== undefined) throw this.#error(plain, [plain.complaint]);
    const mistakes = mistakesIn(plain.run, this.#options.expectFailure);
    if (mistakes.length > 0) throw this.#error(plain, mistakes, plain.run!.error);
    this.#judge(plain);
    if (replay !== undefined) {
      await this.#replay(replay);
      return this.#report("replay");
    }
    this.#levels.push({ made: 1, all: 1 });
    for (let branches = [branchOf(plain, [])];;) {
      const all = sizeOf(branches);
      if (all === 0) return this.#report();
      const isTooDeep = this.#levels.length > maxDeviations;
      const made = isTooDeep ? 0 : Math.min(all, maxRuns - this.#runs);
      this.#levels.push({ made, all });
      const next: Branch[] = [];
      for (const deviations of spread(branches, made, all)) {
        next.push(branchOf(await this.#play(deviations), deviations));
      }
      if (made < all) return this.#report(isTooDeep ? "maxDeviations" : "maxRuns");
      branches = next;
    }
  }

  /** Makes the run of an error once more. */
  async #replay(replay: readonly string[]): Promise<void> {
    const wanted = new Map(replay.map((one) => {
      const [, at, text] = /^(\d+): (.*)$/s.exec(one)!;
      return [Number(at), text];
    }));
    let refused: string | undefined; // not thrown where it is found: the executor would take it for an error of the store
    const played = await this.#playWith(({ about, options, index }) => {
      const text = wanted.get(index);
      if (text === undefined) return 0;
      const chosen = options.findIndex((option) => option.text === text);
      wanted.delete(index);
      if (chosen >= 0) return chosen;
      const others = options.map((option) => show(option.text)).join(", ");
      refused ??= `${show(text)} cannot happen at point ${index} (${about}), but ${others}`;
      return 0;
    });
    for (const [index, text] of wanted) refused ??= `${show(text)} cannot happen: the run has no point ${index}`;
    if (refused === undefined) return this.#judge(played);
    throw new ExplorationError(
      `Cannot replay: ${refused}\nThe workflow, its activities or the options have changed since`,
      replay,
      this.#runs,
    );
  }

  async #play(deviations: Deviations): Promise<PlayedRun> {
    const chosen = new Map(deviations);
    const played = await this.#playWith(({ index }) => chosen.get(index) ?? 0);
    await this.#judge(played);
    return played;
  }

  async #playWith(decide: ChoiceOptions["decide"]): Promise<PlayedRun> {
    const { orders = true, failures = defaultFailures, edges = {} } = this.#options;
    const { crashes = 0, faults = 0, cancels = 0, delays = 1, storeFaults = 0 } = this.#options;
    const budgets = { crashes, faults, cancels, delays, storeFaults };
    const played = await play(
      this.#scenario,
      { orders, failures, edges, budgets, decide },
      this.#options,
    );
    this.#runs++;
    return played;
  }

  /** Counts what a run has reached. Throws if it went wrong. */
  #judge(played: PlayedRun): void {
    const { choices, outcome, trouble, held } = played;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    for (const [what, count] of choices.reached) this.#reached.set(what, (this.#reached.get(what) ?? 0) + count);
    const unanswered = unansweredIn(played.run?.calls ?? []);
    for (const one of unanswered) this.#unanswered.add(`an answer for ${one} in the recorded history`);
    if (trouble !== undefined) {
      const lines = [
        troubleText(trouble),
        ...hintsOn(trouble, ranOf(this.#scenario.workflows, played.run?.states ?? [])),
      ];
      if (unanswered.length > 0) lines.push(`The recorded history has no answer for ${unanswered.join(", ")}`);
      throw this.#error(played, lines, trouble.error);
    }
    const standstill = this.#standstills.note(held);
    if (standstill !== undefined) throw this.#error(played, [standstill]);
  }

  #error(played: PlayedRun, lines: readonly string[], cause?: unknown): ExplorationError {
    const { choices, run, deaths } = played;
    const replay = choices.points.flatMap(({ options, chosen }, i) =>
      chosen === 0 ? [] : [`${i}: ${options[chosen].text}`]
    );
    const plain = this.#plain ?? played;
    const story = choices.storyLines("   <- not in the plain run");
    const message = [
      `Workflow ${show(this.#scenario.name)} goes wrong in run ${this.#runs}`,
      ...lines,
      "",
      ...(story.length === 0 ? [] : ["What happened:", ...story, ""]),
      replay.length === 0
        ? "It is the plain run: nothing deviates in it"
        : `Repeat this run with the option replay: ${JSON.stringify(replay)}`,
      "",
      formatHistories("This run", run?.states ?? [], deaths),
    ];
    if (plain !== played) message.push("", formatHistories("The plain run", plain.run?.states ?? []));
    return new ExplorationError(
      message.join("\n"),
      replay,
      this.#runs - 1,
      cause === undefined ? undefined : { cause },
    );
  }

  /** @param bound What has left out runs. */
  #report(bound?: BoundName): ExploreReport {
    const [runs, levels, outcomes, reached] = [this.#runs, this.#levels, this.#outcomes, this.#reached];
    const missing = bound === "replay" ? [] : this.#missing();
    const isChecked = this.#options.check !== undefined;
    const report = { runs, complete: bound === undefined, levels, outcomes, reached, missing };
    return { ...report, plain: this.#plain!.run as CrashRun, table: () => formatReport(report, bound, isChecked) };
  }

  /** What the options allow or name, and no run has reached. */
  #missing(): string[] {
    const { activities = [], crashes = 0, cancels = 0, faults = 0, storeFaults = 0 } = this.#options;
    const { signals = [], updates = [] } = this.#options;
    const { edges = {}, failures = defaultFailures } = this.#options;
    const calls = this.#plain!.run?.calls ?? [];
    const names = new Set(calls.map(({ name }) => name));
    const wanted: string[] = [];
    for (const { activity } of activities) {
      if (activity === undefined) continue;
      const name = typeof activity === "string" ? activity : activity.name;
      names.add(name);
      wanted.push(`${name} works`);
    }
    if (crashes > 0) wanted.push("a crash");
    if (cancels > 0) wanted.push("a cancellation");
    if (storeFaults > 0) wanted.push(...writeFaults());
    if (storeFaults > 0 && crashes > 0) wanted.push(OLD_READ); // a recovery reads what is stored
    for (const name of names) {
      if (crashes > 0) wanted.push(`a crash while ${name} is in flight`);
      if (cancels > 0) wanted.push(`a cancellation while ${name} is in flight`);
      if (faults > 0) { for (const failure of failures) wanted.push(`${name} ${failure}`); }
    }
    for (const name of Object.keys(edges)) {
      for (const text of edgesOf(edges, name).keys()) wanted.push(`${name} ${text}`);
    }
    const missing = wanted.filter((what) => !this.#reached.has(what));
    const isFault = (what: string) => [...failures, "returns"].some((text) => what.includes(` ${text}`));
    if (faults > 0 && ![...this.#reached.keys(), ...missing].some(isFault)) missing.push("a fault");
    const ends = [...signals, ...updates].map(({ name }) => typeof name === "string" ? name : name.name);
    const seen = new Set(
      (this.#plain!.run?.states ?? []).flatMap(({ history }) =>
        history.flatMap((event) =>
          event.type === "signal_received" || event.type === "update_accepted" ? [event.name] : []
        )
      ),
    );
    for (const name of new Set(ends)) if (!seen.has(name)) missing.push(`${name} arrives in the plain run`);
    return [...new Set([...missing, ...this.#unanswered])];
  }
}

function branchOf({ choices: { points } }: PlayedRun, deviations: Deviations): Branch {
  const from = deviations.length === 0 ? 0 : deviations[deviations.length - 1][0] + 1;
  return { deviations, from, others: points.slice(from).map(({ options }) => options.length - 1) };
}

function sizeOf(branches: readonly Branch[]): number {
  return branches.reduce((sum, { others }) => others.reduce((sum, count) => sum + count, sum), 0);
}

/**
 * Takes `count` of the `all` runs that are still to be made, at even distances. The first other option of each point comes before the
 * second one of any: few options, at all points, find more than all options at few points.
 */
function* spread(branches: readonly Branch[], count: number, all: number): Generator<Deviations> {
  let passed = 0;
  for (const { deviations, from, others } of branches) {
    const most = Math.max(0, ...others);
    for (let option = 1; option <= most; option++) {
      for (const [i, options] of others.entries()) {
        if (option > options) continue;
        passed++;
        const isTaken = Math.floor(passed * count / all) > Math.floor((passed - 1) * count / all);
        if (isTaken) yield [...deviations, [from + i, option]];
      }
    }
  }
}

function formatReport(
  { runs, levels, outcomes, reached, missing }: Omit<ExploreReport, "plain" | "table" | "complete">,
  bound: BoundName | undefined,
  isChecked: boolean,
): string {
  const column = (values: readonly number[]) => {
    const width = Math.max(0, ...values.map((value) => grouped(value).length));
    return values.map((value) => grouped(value).padStart(width));
  };
  const rows = (title: string, counts: ReadonlyMap<string, number>) => {
    const shown = column([...counts.values()]);
    return [title, ...Array.from(counts.keys(), (text, i) => `  ${shown[i]}  ${text}`)];
  };
  const [shownMade, shownAll] = [column(levels.map(({ made }) => made)), column(levels.map(({ all }) => all))];
  return [
    `${grouped(runs)} ${runs === 1 ? "run" : "runs"}, ${
      bound === undefined ? "all that there are" : `not all that there are, because of the option ${bound}`
    }`,
    ...(isChecked ? [] : ['Only whether each run ends was checked: pass "check", and say there what must hold']),
    ...(levels.length === 0 ? [] : ["By the number of deviations from the plain run:"]),
    ...levels.map(({ made, all }, count) =>
      `  ${shownMade[count]} of ${shownAll[count]} with ${count}${made < all ? `   <- ${bound}` : ""}`
    ),
    ...rows("How they ended:", outcomes),
    ...rows("What was reached:", byActivity(reached)),
    ...(missing.length === 0 ? [] : ["Never reached:", ...missing.map((what) => `  ${what}`)]),
  ].join("\n");
}

/** What concerns no activity first, and then activity by activity. */
function byActivity(reached: ReadonlyMap<string, number>): Map<string, number> {
  const names = [...reached.keys()].flatMap((text) => /^(.*) works$/s.exec(text)?.slice(1) ?? []);
  const place = (text: string) =>
    names.findIndex((name) => text.startsWith(`${name} `) || text.endsWith(` while ${name} is in flight`));
  return new Map([...reached].sort(([a], [b]) => place(a) - place(b)));
}
