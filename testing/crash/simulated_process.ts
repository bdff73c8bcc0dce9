/**
 * One process of a simulated world: an executor, its access to the store, and its death.
 *
 * The process wraps the store and the activities of its executor, and carries out the faults that the plan decides. It
 * decides nothing itself.
 *
 * 1. A dead process writes nothing, reads nothing, begins no activity, and none of its timers fires.
 * 2. Every event that it has stored or read is in the journal, whether it got the store's answer or not.
 *
 * @module
 */

import { codeOf } from "../../errors.ts";
import { Executor } from "../../executor.ts";
import type {
  AppendBatch,
  StoreListener,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
} from "../../types.ts";
import { Deferred, isThenable } from "../../util/deferred.ts";
import { recording, replacementOf } from "../activity_recorder.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import type { AttemptFault, Death, FaultPlan, ProcessRef } from "./fault_plan.ts";
import type { Journal } from "./journal.ts";
import type { ResolvedScenario } from "./scenario.ts";
import { nextMacrotask, ProcessClock, type WorldClock } from "./world_clock.ts";

/** What a process needs of its world. */
export interface ProcessWorld {
  readonly scenario: ResolvedScenario;
  readonly faults: FaultPlan;
  readonly store: WorkflowStore;
  readonly journal: Journal;
  readonly clock: WorldClock;
  /** Called with each replacement that is used. */
  replaced(replacement: Replacement): void;
  /** Called when an attempt of an activity begins. */
  attemptBegun(call: ActivityCall): void;
  /** Called after each write; the process waits for it. */
  stored(): Promise<void>;
  /** Called when a run stays as it is stored, because its code is not known. */
  suspended(error: unknown): void;
  /** Lets another executor call `recover()`. */
  recover(index: number): void;
  /** Called when the process has died. */
  died(proc: SimulatedProcess, death: Death): void;
  /** Called when a process reads what is older than the last write. */
  readOld(): void;
}

const never = /* @__PURE__ */ new Promise<never>(() => {});

export class SimulatedProcess implements WorkflowStore, ProcessRef {
  readonly index: number;
  readonly life: number;
  readonly executor: Executor;
  dead = false;
  readonly #died = new Deferred<void>();
  /** Activities and store calls in flight, and how many of them wait for a timer of the world. */
  #running = 0;
  #delayed = 0;
  /** Attempts whose own function is running. Time may pass during those in `#ignored`. */
  readonly #working = new Set<ActivityCall>();
  readonly #ignored = new Set<ActivityCall>();
  readonly #world: ProcessWorld;
  readonly #clock: ProcessClock;
  #writes = 0;
  #reads = 0;
  /** A death that has been decided: it comes with the next write, or at the end of the current turn. */
  #doom: Death | undefined;

  /**
   * Starts a process.
   *
   * @param index Which of the world's executors it runs, counted from 0.
   * @param life How many processes of that executor have died before.
   */
  constructor(world: ProcessWorld, index: number, life: number) {
    this.#world = world;
    this.index = index;
    this.life = life;
    this.#clock = new ProcessClock(world.clock);
    const { scenario, journal, store } = world;
    if (store.subscribe !== undefined) {
      this.subscribe = (listener) => store.subscribe!((...change) => void (this.dead || listener(...change)));
    }
    const { onError = console.error, replaceActivity, ...options } = scenario.executorOptions;
    this.executor = new Executor({
      logger: silent,
      random: () => 0.5,
      ...options,
      store: this,
      clock: this.#clock,
      workflows: scenario.workflows,
      newRunId: (workflowId) => {
        const suffix = scenario.executors === 1 ? "" : `-${index}.${life}`;
        return `${workflowId}/${journal.begun(workflowId) + 1}${suffix}`;
      },
      replaceActivity: (activity, name) => {
        const replacement = replacementOf(scenario.activities, activity, name);
        if (replacement !== undefined) world.replaced(replacement);
        const fake = replacement?.fake ?? replaceActivity?.(activity, name);
        if (fake !== undefined && typeof fake !== "function") return fake; // the executor refuses it
        const run = fake ?? activity;
        const about = { name, replaced: fake !== undefined, now: () => world.clock.now() };
        return recording(about, (input, context, call) => this.#perform(call, () => run(input, context)));
      },
      onError: (error) => {
        if (this.dead) return;
        if (codeOf(error) === "unknown_workflow") world.suspended(error);
        else onError(error);
      },
    });
  }

  /**
   * Whether the process waits only for timers.
   *
   * @param still Whether nobody in the world has made a step for a while.
   */
  isQuiet(still: boolean): boolean {
    if (this.dead || (this.#running === 0 && !this.#clock.held)) return true;
    return this.#delayed > 0 && this.#running === this.#delayed && still;
  }

  /** Whether activities still run, also after the death of the process. */
  get busy(): boolean {
    return this.#running > this.#delayed;
  }

  /** Whether only fakes keep the process busy. They do not wait for anything that takes real time. */
  get fakesOnly(): boolean {
    const working = [...this.#working].filter((call) => !this.#ignored.has(call));
    return working.length > 0 && working.length === this.#running - this.#delayed &&
      working.every(({ replaced }) => replaced);
  }

  /** Lets time pass although activities run: they may wait for it, or never end. Returns those that are new. */
  ignoreActivities(): ActivityCall[] {
    const calls = [...this.#working].filter((call) => !this.#ignored.has(call));
    for (const call of calls) this.#ignored.add(call);
    this.#delayed += calls.length;
    return calls;
  }

  /** Stops the process and closes its executor. */
  async end(): Promise<void> {
    this.dead = true;
    this.#died.resolve();
    this.#clock.die();
    await this.executor.close();
  }

  readonly subscribe?: (listener: StoreListener) => () => void;

  save(state: WorkflowStateInit): Promise<void> {
    return this.#call(() => this.#world.store.save(state));
  }

  load(workflowId: string): Promise<WorkflowState | null> {
    const { store, journal } = this.#world;
    const earlier = (lag: number) => journal.past.load(lag, workflowId);
    return this.#call(async () => {
      const state = await this.#read(() => store.load(workflowId), earlier, (lag) => earlier(lag) !== undefined);
      journal.learn(state);
      return state;
    });
  }

  list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    const { store, journal } = this.#world;
    const earlier = (lag: number) => journal.past.list(lag, store, filter);
    return this.#call(async () => {
      const states = await this.#read(() => store.list(filter), earlier, (lag) => journal.past.hasChanged(lag));
      for (const state of states) journal.learn(state);
      return states;
    });
  }

  delete(workflowId: string): Promise<void> {
    return this.#call(() => this.#world.store.delete(workflowId));
  }

  append(batch: AppendBatch): Promise<void> {
    // A batch without events writes nothing: it is a read.
    const appended = () => this.#world.store.append(batch);
    return this.#call(() => batch.events.length === 0 ? this.#read(appended) : this.#append(batch));
  }

  async #call<T>(body: () => Promise<T>): Promise<T> {
    this.#assertAlive();
    this.#running++;
    try {
      return await body();
    } finally {
      this.#settled();
      this.#assertAlive();
    }
  }

  /** An activity or a store call has settled. */
  #settled(): void {
    this.#running--;
    this.#world.clock.step();
  }

  /**
   * @param earlier Answers without the last `lag` writes.
   * @param differs Whether that is another answer.
   */
  async #read<T>(
    body: () => Promise<T>,
    earlier?: (lag: number) => Promise<T> | T | undefined,
    differs: (lag: number) => boolean = () => false,
  ): Promise<T> {
    const { fails, lag = 0, delayMs } = this.#world.faults.read?.({ proc: this, nth: ++this.#reads, differs }) ?? {};
    if (fails) throw injected("the store failed at a read");
    if (lag > 0) this.#world.readOld();
    const answer = (lag > 0 ? await earlier?.(lag) : undefined) ?? await body();
    if (delayMs !== undefined) await Promise.race([this.#delay(delayMs), this.#died.promise]);
    return answer;
  }

  async #append(batch: AppendBatch): Promise<void> {
    const { journal, store, faults } = this.#world;
    if (this.#doom !== undefined) return this.#die(this.#doom);
    const place = (which: "first" | "last") => journal.place(batch, which);
    const write = { proc: this, nth: ++this.#writes, batch, begun: journal.begun(batch.workflowId), place };
    const { die, fail, delayTurns = 0, takeover } = faults.write?.(write) ?? {};
    if (takeover !== undefined) Promise.resolve().then(() => this.#world.recover(takeover));
    for (let i = 0; i < delayTurns; i++) await nextMacrotask();
    this.#assertAlive();
    const death = die && { side: die, ...place(die === "before" ? "first" : "last") };
    if (die === "before") return this.#die(death!);
    if (fail === "before") throw injected("the store failed before the write");
    await store.append(batch);
    journal.add(batch);
    await this.#world.stored();
    if (die === "after") return this.#die(death!);
    if (fail === "after") throw injected("the answer of the store was lost");
    if (die === "between") void this.#dieSoon(death!);
  }

  #die(death: Death): void {
    if (this.dead) return;
    this.dead = true;
    this.#world.died(this, death);
  }

  /** Dies when the workflows have seen what is stored. */
  async #dieSoon(death: Death): Promise<void> {
    this.#doom = death;
    for (let i = 0; i < 2; i++) await nextMacrotask();
    this.#die(death);
  }

  #assertAlive(): void {
    if (this.dead) throw new Error("The process is dead");
  }

  /** Runs an attempt of an activity with its faults. */
  #perform(call: ActivityCall, body: () => unknown): unknown {
    if (this.dead) return never;
    this.#world.attemptBegun(call);
    const fault = this.#world.faults.attempt?.(call, this.#world.journal.begun(call.workflowId));
    const work = () => this.#work(call, body());
    const answer = fault === undefined ? work() : this.#disturb(fault, work);
    if (!isThenable(answer)) return answer;
    this.#running++;
    return settling(answer, () => this.#settled());
  }

  /** Notes that the function of an attempt is running. */
  #work(call: ActivityCall, answer: unknown): unknown {
    if (!isThenable(answer)) return answer;
    this.#working.add(call);
    return settling(answer, () => {
      this.#working.delete(call);
      if (this.#ignored.delete(call)) this.#delayed--;
    });
  }

  async #disturb({ side, delayMs, fails }: AttemptFault, body: () => unknown): Promise<unknown> {
    const disturb = async () => {
      if (delayMs !== undefined) await this.#delay(delayMs);
      if (fails) throw injected(`the activity failed ${side} its work`);
    };
    if (side === "before") await disturb();
    const answer = await body();
    if (side === "after") await disturb();
    return answer;
  }

  async #delay(ms: number): Promise<void> {
    const { clock } = this.#world;
    this.#delayed++;
    clock.step(); // the world need not wait for this process any more
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + ms, resolve));
    if (this.dead) return await never;
    this.#delayed--;
  }
}

function injected(what: string): Error {
  return new Error(`Injected fault: ${what}`);
}

async function settling(answer: PromiseLike<unknown>, settled: () => void): Promise<unknown> {
  try {
    return await answer;
  } finally {
    settled();
  }
}

const ignore = () => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
