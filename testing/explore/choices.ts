/**
 * The choices of one run: what happens next at each point where several things can happen.
 *
 * Owns the points of a run and what can be chosen there. It is the fault plan of a world that is at rest between two choices, and asks
 * `decide` for each.
 *
 * 1. The first option of a point is what happens in the plain run; each other one is a deviation.
 * 2. With the same decisions, a run has the same points: nothing is chosen by time or by chance.
 * 3. After the workflow has ended, only what a read shows is still chosen: a query may ask for it. All else changes nothing then.
 * 4. A run ends: what could happen again and again uses up a budget, such as time that passes before something that is due.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { NonRetryableError } from "../../errors.ts";
import { Deferred } from "../../util/deferred.ts";
import { checkObject, invalid } from "../../util/check.ts";
import { show } from "../../util/show.ts";
import { showValue } from "../../util/show_value.ts";
import type {
  Attempt,
  AttemptFault,
  DeathSide,
  FaultPlan,
  Move,
  Read,
  ReadFault,
  Write,
  WriteFault,
} from "../crash/fault_plan.ts";
import { checkReplacements } from "../activity_recorder.ts";
import { FAKE_PATIENCE_MS } from "../crash/standstills.ts";
import type { ActivityCall } from "../fakes.ts";

/** What is bounded in a run besides the number of deviations. */
export type BudgetName = "crashes" | "faults" | "cancels" | "delays" | "storeFaults";

/** One thing that can happen at a point. */
export interface Option {
  /** In words. */
  readonly text: string;
  /** What it uses up. */
  readonly uses?: BudgetName;
}

/** A point of a run. */
export interface Point {
  /** What the choice is about. */
  readonly about: string;
  readonly options: readonly Option[];
  /** The index of the option that was chosen. */
  readonly chosen: number;
}

/** Checks the options that `explore()` and `whatIf()` have about activities. */
export function checkFailures(
  { activities = [], failures = [], edges = {} }: {
    readonly activities?: unknown;
    readonly failures?: readonly AttemptFailure[] | undefined;
    readonly edges?: Readonly<Record<string, readonly unknown[]>> | undefined;
  },
  action: string,
): void {
  checkReplacements(activities, action);
  const known: readonly AttemptFailure[] = [...defaultFailures, "works late"];
  if (!Array.isArray(failures) || !failures.every((one) => known.includes(one))) {
    throw invalid("failures", failures, `an array of ${known.map(show).join(", ")}`, action);
  }
  checkObject("edges", edges, action);
  for (const [name, values] of Object.entries(edges)) {
    if (!Array.isArray(values)) throw invalid(`edges[${show(name)}]`, values, "an array of results", action);
  }
}

/** The results of `edges` for an activity, each by a text of its own: a replay finds it by that. */
export function edgesOf(edges: Readonly<Record<string, readonly unknown[]>>, name: string): Map<string, unknown> {
  const returns = new Map<string, unknown>();
  for (const value of Object.hasOwn(edges, name) ? edges[name] : []) {
    const text = `returns ${showValue(value)}`;
    let unique = text;
    for (let i = 2; returns.has(unique); i++) unique = `${text} (${i})`;
    returns.set(unique, value);
  }
  return returns;
}

/** What may be chosen. */
export interface ChoiceOptions {
  /** Whether things may happen in another order than in the plain run. */
  readonly orders: boolean;
  /** How many of each may happen; 0 if it is not named. */
  readonly budgets: Readonly<Partial<Record<BudgetName, number>>>;
  readonly failures: readonly AttemptFailure[];
  /** Results that an activity may return in place of its own, by name. */
  readonly edges: Readonly<Record<string, readonly unknown[]>>;
  /** Returns the index of an option. */
  readonly decide: (question: Question) => number;
}

/** A point at which something is to be chosen. */
export interface Question {
  /** How many points there were before. */
  readonly index: number;
  /** What the choice is about, in words. */
  readonly about: string;
  readonly options: readonly Option[];
  /** The attempt that begins, or those that are in flight when all is at rest; `undefined` for a write. */
  readonly calls?: readonly ActivityCall[] | undefined;
  /** What is written. */
  readonly write?: Write | undefined;
}

/** An attempt whose answer is held back. */
interface Gate {
  readonly attempt: Attempt;
  /** The activity, with a number if it is not its first attempt. */
  readonly name: string;
  readonly opened: Deferred<void>;
}

/**
 * How an attempt of an activity can go wrong: it throws, it throws a `NonRetryableError`, it works and throws, it never answers, it
 * never answers and works when the workflow has ended.
 *
 * @category Testing
 */
export type AttemptFailure = "fails" | "fails for good" | "loses its answer" | "never answers" | "works late";

/** All of them, apart from the last one, which not every service can do. */
export const defaultFailures: readonly AttemptFailure[] = [
  "fails",
  "fails for good",
  "loses its answer",
  "never answers",
];

/** Where a process can die, in words. */
export const SIDES: Readonly<Record<DeathSide, string>> = {
  before: "the process dies before it is stored",
  after: "the process dies when it is stored, before it knows",
  between: "the process dies in the turn after it is stored",
};

/** How late an answer of a slow store comes. */
const STORE_DELAY_MS = 1_000;

/** What a store can do wrong with a write, in words, and what that is called. */
const WRITE_FAULTS: Readonly<Record<string, { readonly is: string; readonly fault: WriteFault }>> = {
  "the store fails, and does not store it": { is: "a write that fails", fault: { fail: "before" } },
  "it is stored, and the answer is lost": { is: "a write whose answer is lost", fault: { fail: "after" } },
  "it is stored, and the answer comes a second late": {
    is: "a write whose answer is late",
    fault: { delayMs: STORE_DELAY_MS },
  },
};

/** What a recovery reads when it is behind. */
export const OLD_READ = "a read that is old";

/** The same for a read. */
const READ_FAULTS: Readonly<Record<string, { readonly is: string; readonly fault: ReadFault }>> = {
  "the store fails": { is: "a read that fails", fault: { fails: true } },
  "it does not show the last two writes": { is: OLD_READ, fault: { lag: 2 } },
  "it comes a second late": { is: "a read that is late", fault: { delayMs: STORE_DELAY_MS } },
};

/** What `storeFaults` lets a write do wrong. */
export const writeFaults = (): string[] => Object.values(WRITE_FAULTS).map(({ is }) => is);
/** How many lines of a story are shown. */
const MAX_STORY = 60;

export class Choices implements FaultPlan {
  /** Less than other plans allow: a run with an activity that always fails may be one of thousands. */
  readonly maxWrites = 2_000;
  readonly points: Point[] = [];
  /** What was reached, and how often. */
  readonly reached: Map<string, number> = new Map();
  /** What happened, in words, in order. `deviates`: the plain run does something else there. */
  readonly story: { readonly text: string; readonly deviates: boolean }[] = [];
  readonly #options: ChoiceOptions;
  readonly #left: Record<BudgetName, number>;
  #gates: Gate[] = [];
  /** The attempts that take effect when everything is over. */
  readonly #late: Attempt[] = [];
  /** How many attempts of each activity have begun. */
  readonly #begun = new Map<string, number>();
  /** The names of activities, by idempotency key. */
  readonly #names = new Map<string, string>();
  #isOver = false;

  constructor(options: ChoiceOptions) {
    this.#options = options;
    this.#left = { crashes: 0, faults: 0, cancels: 0, delays: 0, storeFaults: 0, ...options.budgets };
  }

  /** How many cancellations a world must have ready. */
  get cancels(): number {
    return this.#options.budgets.cancels ?? 0;
  }

  /**
   * Lets the attempts work that nobody waits for. One that does nothing more for a while counts as done: it may never settle. The next
   * one has half of that time.
   */
  async finish(): Promise<void> {
    let patienceMs = FAKE_PATIENCE_MS;
    for (const { call, body } of this.#late) {
      this.#tell(`${call.name} works late`, true);
      const done = new Deferred<void>();
      const clear = systemClock.setTimer(systemClock.now() + patienceMs, () => {
        patienceMs /= 2;
        done.resolve();
      });
      void Promise.resolve().then(body).catch(() => {}).then(() => done.resolve());
      await done.promise;
      clear();
    }
  }

  /** Chooses one of the options; those whose budget is used up are left out. */
  #choose(about: string, all: readonly Option[], more: Pick<Question, "calls" | "write"> = {}): Option {
    const options = all.filter(({ uses }) => uses === undefined || this.#left[uses] > 0);
    if (options.length < 2) return options[0];
    const chosen = this.#options.decide({ index: this.points.length, about, options, ...more });
    this.points.push({ about, options, chosen });
    const option = options[chosen];
    if (option.uses !== undefined) this.#left[option.uses]--;
    return option;
  }

  #reach(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  #tell(text: string, deviates: boolean): void {
    this.story.push({ text, deviates });
  }

  /** The story as lines of a text, the first ones. Those that do not happen in the plain run can be marked. */
  storyLines(mark = ""): string[] {
    const lines = this.story.slice(0, MAX_STORY).map(({ text, deviates }, i) =>
      `  ${`${i + 1}`.padStart(2)}. ${text}${deviates ? mark : ""}`
    );
    const left = this.story.length - MAX_STORY;
    return left > 0 ? [...lines, `  … ${left} more`] : lines;
  }

  write(write: Write): WriteFault | undefined {
    const { batch, place } = write;
    const { number, event } = place("last");
    const options: Option[] = [
      { text: "is stored" },
      ...Object.values(SIDES).map((text): Option => ({ text, uses: "crashes" })),
      ...Object.keys(WRITE_FAULTS).map((text): Option => ({ text, uses: "storeFaults" })),
    ];
    const about = `event ${number}, ${event}`;
    const option = this.#isOver ? options[0] : this.#choose(about, options, { write });
    const failure = WRITE_FAULTS[option.text];
    if (failure !== undefined) {
      this.#tell(`${about}: ${option.text}`, true);
      this.#reach(failure.is);
      return failure.fault;
    }
    const die = (Object.keys(SIDES) as DeathSide[]).find((side) => SIDES[side] === option.text);
    if (die === undefined) return undefined;
    this.#tell(`${about}: ${option.text}`, true);
    this.#reach("a crash");
    // Begun in the turn in which the process dies, or at their end without a recorded outcome.
    const [begin, end] = [die === "between", die === "before"];
    const near = batch.events.flatMap((event) =>
      begin && event.type === "activity_started"
        ? [event.name]
        : end && event.type === "activity_completed"
        ? [this.#names.get(`${batch.runId}:${event.seq}`) ?? ""]
        : []
    );
    for (const name of new Set([...this.#inFlight(), ...near])) this.#reach(`a crash while ${name} is in flight`);
    return { die };
  }

  read({ nth, differs }: Read): ReadFault | undefined {
    const options: Option[] = [{ text: "it shows everything" }];
    for (const [text, { fault }] of Object.entries(READ_FAULTS)) {
      if (fault.lag === undefined || differs(fault.lag)) options.push({ text, uses: "storeFaults" });
    }
    const about = `read ${nth} of the process`;
    const option = this.#choose(about, options);
    const failure = READ_FAULTS[option.text];
    if (failure === undefined) return undefined;
    this.#tell(`${about}: ${option.text}`, true);
    this.#reach(failure.is);
    return failure.fault;
  }

  attempt(attempt: Attempt): AttemptFault {
    const { call } = attempt;
    const { name } = call;
    const count = (this.#begun.get(name) ?? 0) + 1;
    this.#begun.set(name, count);
    this.#names.set(call.idempotencyKey, name);
    const shown = count === 1 ? name : `${name} (${count})`;
    const { failures, edges } = this.#options;
    const returns = edgesOf(edges, name);
    const works: Option = { text: "works" };
    const option = this.#isOver ? works : this.#choose(`activity ${shown}`, [
      works,
      ...[...failures, ...returns.keys()].map((text): Option => ({ text, uses: "faults" })),
    ], { calls: [call] });
    const fate = option.text as AttemptFailure | "works";
    this.#reach(`${name} ${fate}`);
    this.#tell(`${shown} ${fate === "works" ? "begins" : fate}`, fate !== "works");
    if (fate === "never answers" || fate === "works late") {
      if (fate === "works late") this.#late.push(attempt);
      return { side: "before", gate: new Promise(() => {}) };
    }
    const opened = new Deferred<void>();
    this.#gates.push({ attempt, name: shown, opened });
    const gate = opened.promise;
    switch (fate) {
      case "fails":
        return { side: "before", gate, error: new Error(`Activity ${show(name)} fails`) };
      case "fails for good":
        return { side: "before", gate, error: new NonRetryableError(`Activity ${show(name)} fails for good`) };
      case "loses its answer":
        return { side: "after", gate, error: new Error(`The answer of activity ${show(name)} is lost`) };
      default:
        return { side: "after", gate, ...(fate !== "works" && { answer: { value: returns.get(fate) } }) };
    }
  }

  next(moves: readonly Move[], isOver: boolean): boolean {
    this.#isOver ||= isOver;
    this.#gates = this.#gates.filter(({ attempt: { proc, signal } }) =>
      !proc.dead && !(signal.aborted && (signal.reason as Error | undefined)?.name === "TimeoutError")
    );
    const answers = this.#gates.map((gate): Move => ({
      kind: "answer",
      text: `${gate.name} answers`,
      atMs: -Infinity,
      make: () => {
        this.#gates = this.#gates.filter((other) => other !== gate);
        gate.opened.resolve();
        return true;
      },
    }));
    const nothing: Move = { kind: "nothing", text: "nothing happens", atMs: Infinity, make: () => false };
    const all = [...answers, ...moves, nothing].sort((a, b) => a.atMs === b.atMs ? 0 : a.atMs - b.atMs);
    const first = all.findIndex(({ kind, atMs }) => kind === "nothing" || atMs < Infinity);
    const open = [all[first], ...all.filter((_, i) => i !== first)];
    const isOpen = ({ kind, atMs }: Move, i: number) =>
      i === 0 || kind === "cancel" && atMs === Infinity || this.#options.orders && kind !== "nothing";
    const moveOf = open.filter(isOpen);
    const options = moveOf.map(({ kind, atMs, text }, i): Option => {
      if (kind === "cancel" && atMs === Infinity) return { text, uses: "cancels" };
      return kind === "time" && i > 0 ? { text, uses: "delays" } : { text };
    });
    const calls = this.#gates.map(({ attempt }) => attempt.call);
    const option = this.#isOver ? options[0] : this.#choose("next", options, { calls });
    return this.#make(moveOf[options.indexOf(option)], option !== options[0]);
  }

  #make(move: Move, deviates: boolean): boolean {
    const { text, kind } = move;
    if (this.#isOver) return move.make(); // it finds nobody
    if (kind === "cancel") this.#reach("a cancellation");
    const what = kind === "cancel" ? "a cancellation" : kind === "time" ? "a timer" : text;
    if (deviates && kind === "answer") this.#reach("answers in another order");
    if (kind !== "answer" && kind !== "nothing") {
      for (const name of this.#inFlight()) this.#reach(`${what} while ${name} is in flight`);
    }
    if (kind !== "nothing") this.#tell(text, deviates);
    return move.make();
  }

  /** The names of the activities in flight. */
  #inFlight(): string[] {
    return [
      ...new Set(this.#gates.filter(({ attempt }) => !attempt.proc.dead).map(({ attempt }) => attempt.call.name)),
    ];
  }
}
