/**
 * One process of a simulated world: an executor, its access to the store, its death, and the times when it stands still.
 *
 * The process wraps the store and the activities of its executor, and carries out the faults that the plan decides. It
 * decides nothing itself.
 *
 * 1. A dead process writes nothing, reads nothing, begins no activity, and none of its timers fires.
 * 2. While a process stands still, none of its timers fires, its calls of the store wait and get no answer, and no activity ends.
 *    What it does in the same instant counts as done before.
 * 3. Every event that it has stored or read is in the journal, whether it got the store's answer or not.
 *
 * @module
 */

import { codeOf } from "../../errors.ts";
import { Executor } from "../../executor.ts";
import type {
  AppendBatch,
  ClaimedRun,
  ClaimOptions,
  Delivery,
  DeliveryReceipt,
  StoreListener,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
} from "../../types.ts";
import { Deferred, isThenable } from "../../util/deferred.ts";
import { fakeActivities } from "../../util/foreign_source.ts";
import { fakeOf, recording, replacementOf, whenTimed } from "../activity_recorder.ts";
import type { ActivityCall, Replacement } from "../fakes.ts";
import { mutatedAs } from "../mutated_activity.ts";
import type { AttemptFault, Death, FaultPlan, LeaseCall, Pause, ProcessRef } from "./fault_plan.ts";
import type { Journal } from "./journal.ts";
import type { Owners } from "./owners.ts";
import type { ResolvedScenario } from "./scenario.ts";
import { nextMacrotask, ProcessClock, type WorldClock } from "./world_clock.ts";

/** What a process needs of its world. */
export interface ProcessWorld {
  readonly scenario: ResolvedScenario;
  readonly faults: FaultPlan;
  readonly store: WorkflowStore;
  readonly journal: Journal;
  readonly clock: WorldClock;
  /** `undefined` without leases. */
  readonly owners: Owners | undefined;
  /** Calls `body` when all earlier writes have settled, if the world has leases. */
  inOrder<T>(body: () => Promise<T>): Promise<T>;
  /** Called with each replacement that is used. */
  replaced(replacement: Replacement): void;
  /** Called when an attempt of an activity begins. */
  attemptBegun(proc: ProcessRef, call: ActivityCall): void;
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
  readonly #leaseCalls = { claim: 0, renew: 0, release: 0 };
  /** Resolves when the process does not stand still any more. */
  #paused: Deferred<void> | undefined;
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
      this.subscribe = (listener) =>
        store.subscribe!((...change) => {
          const call = () => void (this.dead || listener(...change));
          if (!this.#clock.later(call)) call();
        });
    }
    this.#addMembers();
    const { onError = console.error, replaceActivity, ...options } = scenario.executorOptions;
    this.executor = new Executor({
      logger: silent,
      random: () => 0.5,
      ...options,
      leaseMs: scenario.leaseMs ?? 0,
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
        const fake = fakeOf(replacement, name) ?? replaceActivity?.(activity, name);
        if (fake !== undefined && typeof fake !== "function") return fake; // the executor refuses it
        const run = fake === undefined ? activity : mutatedAs(activity, fake);
        const about = { name, replaced: fake !== undefined, now: () => world.clock.now() };
        return recording(
          about,
          (input, context, call) => {
            if (fakeActivities.has(activity)) fakeActivities.add(call);
            return this.#perform(call, context.signal, () => run(input, context));
          },
        );
      },
      onError: (error) => {
        if (this.dead || isInjected(error)) return;
        if (codeOf(error) === "unknown_workflow") world.suspended(error);
        else onError(error);
      },
    });
  }

  /**
   * Whether the process waits only for what the world lets happen. Its executor says when it is at rest; while it waits for a store
   * that is slow, it is not, and the world has to see that nothing happens.
   *
   * @param still Whether nobody in the world has made a step for a while.
   */
  isQuiet(still: boolean): boolean {
    if (this.#paused !== undefined && still) return true;
    if (this.dead) return true;
    return this.#running === this.#delayed && (!this.#clock.isWorking || this.#delayed > 0 && still);
  }

  /** Whether activities still run, also after the death of the process. */
  get busy(): boolean {
    return this.#running > this.#delayed;
  }

  /** What keeps the process busy: attempts of activities, and `undefined` for anything else, such as a call of the store. */
  heldBy(): (ActivityCall | undefined)[] {
    const working = this.#newlyWorking();
    const isAll = working.length > 0 && working.length === this.#running - this.#delayed;
    return isAll ? working : [...working, undefined];
  }

  /** Whether only fakes keep the process busy. They do not wait for anything that takes real time. */
  get fakesOnly(): boolean {
    return this.heldBy().every((call) => call !== undefined && isFake(call));
  }

  #newlyWorking(): ActivityCall[] {
    return [...this.#working].filter((call) => !this.#ignored.has(call));
  }

  /** Lets time pass although activities run: they may wait for it, or never end. Returns those that are new. */
  ignoreActivities(): ActivityCall[] {
    const calls = this.#newlyWorking();
    for (const call of calls) this.#ignored.add(call);
    this.#delayed += calls.length;
    return calls;
  }

  /** Stops the process and closes its executor. */
  async end(): Promise<void> {
    this.dead = true;
    this.#died.resolve();
    this.#clock.die();
    this.#paused?.resolve();
    this.#paused = undefined;
    await this.executor.close();
  }

  /** Whether the process stands still. */
  get paused(): boolean {
    return this.#paused !== undefined;
  }

  /** Lets the process stand still. */
  #pause({ ms, timersFirst }: Pause): void {
    if (this.dead || this.#paused !== undefined) return;
    const { clock } = this.#world;
    const paused = this.#paused = new Deferred<void>();
    this.#clock.pause();
    clock.setTimer(clock.now() + ms, async () => {
      if (this.#paused !== paused) return; // it has died
      this.#paused = undefined;
      clock.step();
      if (timersFirst) this.#clock.resume();
      paused.resolve();
      if (timersFirst) return;
      await nextMacrotask();
      if (this.#paused === undefined) this.#clock.resume();
    });
  }

  readonly subscribe?: (listener: StoreListener) => () => void;
  heads?: NonNullable<WorkflowStore["heads"]>;
  count?: NonNullable<WorkflowStore["count"]>;
  loadSince?: NonNullable<WorkflowStore["loadSince"]>;
  deliver?: NonNullable<WorkflowStore["deliver"]>;
  claim?: NonNullable<WorkflowStore["claim"]>;
  renew?: NonNullable<WorkflowStore["renew"]>;
  release?: NonNullable<WorkflowStore["release"]>;

  /** The optional methods that the store of the world has. Without leases an executor does without them. */
  #addMembers(): void {
    const { store, journal, owners } = this.#world;
    const { past } = journal;
    if (owners === undefined) return;
    if (store.heads !== undefined) {
      this.heads = (options) =>
        this.#call(() =>
          this.#read(
            () => store.heads!(options),
            (lag) => past.heads(lag, store, options),
            (lag) => past.hasChanged(lag),
          )
        );
    }
    if (store.count !== undefined) this.count = (filter) => this.#call(() => this.#read(() => store.count!(filter)));
    if (store.loadSince !== undefined) {
      this.loadSince = (...args) => {
        const earlier = (lag: number) => past.loadSince(lag, ...args);
        return this.#call(async () => {
          const tail = await this.#read(() => store.loadSince!(...args), earlier, (lag) => earlier(lag) !== undefined);
          journal.learnTail(tail);
          return tail;
        });
      };
    }
    if (store.deliver !== undefined) this.deliver = (delivery) => this.#call(() => this.#deliver(delivery));
    if (store.claim === undefined || store.renew === undefined || store.release === undefined) return;
    this.claim = (options: ClaimOptions): Promise<ClaimedRun[]> =>
      this.#lease("claim", async () => {
        const runs = await store.claim!(options);
        owners.claimed(this, options, runs);
        return runs;
      });
    this.renew = (owner, leaseMs) =>
      this.#lease("renew", async () => {
        await store.renew!(owner, leaseMs);
        owners.renewed(owner, leaseMs);
      });
    this.release = (owner, workflowIds) =>
      this.#lease("release", async () => {
        await store.release!(owner, workflowIds);
        owners.released(owner, workflowIds);
      });
  }

  #lease<T>(method: LeaseCall["method"], body: () => Promise<T>): Promise<T> {
    return this.#call(async () => {
      const nth = ++this.#leaseCalls[method];
      const { fail, pause } = this.#world.faults.lease?.({ proc: this, method, nth }) ?? {};
      if (pause?.side === "before") await this.#standStill(pause);
      if (fail === "before") throw injected(`the store failed before ${method}()`);
      const answer = await this.#world.inOrder(body);
      if (pause?.side === "after") await this.#standStill(pause);
      if (fail === "after") throw injected(`the answer of ${method}() was lost`);
      return answer;
    });
  }

  async #standStill(pause: Pause): Promise<void> {
    this.#pause(pause);
    await this.#resumed();
    this.#assertAlive();
  }

  async #resumed(): Promise<void> {
    while (this.#paused !== undefined) await this.#paused.promise;
  }

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
      if (this.#paused !== undefined) await this.#resumed();
      this.#assertAlive();
      return await body();
    } finally {
      if (this.#paused !== undefined) await this.#resumed();
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

  #append(batch: AppendBatch): Promise<void> {
    const { store, journal, owners } = this.#world;
    return this.#write(batch, async () => {
      await store.append(batch);
      owners?.appended(this, batch);
      journal.add(batch);
    });
  }

  async #deliver(delivery: Delivery): Promise<DeliveryReceipt> {
    const { store, journal, owners } = this.#world;
    const { workflowId, events } = delivery;
    const { runId = "", events: { length: expectedLength } = [] } = journal.latest(workflowId) ?? {};
    const receipt = await this.#write({ workflowId, runId, expectedLength, events }, async () => {
      const receipt = await store.deliver!(delivery);
      const { runId, historyLength, added } = receipt;
      const stored = events.filter((_, i) => added[i]);
      if (stored.length === 0) return receipt;
      const batch = { workflowId, runId, expectedLength: historyLength - stored.length, events: stored };
      owners?.appended(this, batch);
      journal.add(batch);
      return receipt;
    });
    return receipt!;
  }

  /** Writes with the faults of the plan. Returns nothing if the process dies. */
  async #write<T>(batch: AppendBatch, body: () => Promise<T>): Promise<T | undefined> {
    const { journal, faults } = this.#world;
    if (this.#doom !== undefined) return this.#die(this.#doom);
    const place = (which: "first" | "last") => journal.place(batch, which);
    const write = { proc: this, nth: ++this.#writes, batch, begun: journal.begun(batch.workflowId), place };
    const { die, fail, pause, delayTurns = 0, delayMs, takeover } = faults.write?.(write) ?? {};
    if (pause?.side === "before") await this.#standStill(pause);
    if (takeover !== undefined) Promise.resolve().then(() => this.#world.recover(takeover));
    for (let i = 0; i < delayTurns; i++) await nextMacrotask();
    this.#assertAlive();
    const death = die && { side: die, ...place(die === "before" ? "first" : "last") };
    if (die === "before") return this.#die(death!);
    if (fail === "before") throw injected("the store failed before the write");
    const answer = await this.#world.inOrder(body);
    await this.#world.stored();
    if (pause?.side === "after") await this.#standStill(pause);
    if (delayMs !== undefined) await Promise.race([this.#delay(delayMs), this.#died.promise]);
    if (die === "after") return this.#die(death!);
    if (fail === "after") throw injected("the answer of the store was lost");
    if (die === "between") void this.#dieSoon(death!);
    return answer;
  }

  #die(death: Death): undefined {
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
  #perform(call: ActivityCall, signal: AbortSignal, body: () => unknown): unknown {
    if (this.dead) return never;
    this.#world.attemptBegun(this, call);
    const begun = this.#world.journal.begun(call.workflowId);
    const fault = this.#world.faults.attempt?.({ proc: this, call, signal, begun, body });
    const work = () => whenTimed(this.#work(call, body()), (ms) => this.#wait(ms, signal));
    const answer = fault === undefined ? work() : this.#disturb(fault, work);
    if (!isThenable(answer)) return answer;
    this.#running++;
    return settling(answer, async () => {
      if (this.#paused !== undefined) await this.#resumed();
      this.#settled();
      if (this.dead) await never;
    });
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

  async #disturb(fault: AttemptFault, body: () => unknown): Promise<unknown> {
    const { side, gate, delayMs, fails, error, pause, answer } = fault;
    const disturb = async () => {
      if (pause !== undefined) {
        this.#pause(pause);
        await this.#resumed();
      }
      if (gate !== undefined) await this.#waitFor(gate);
      if (delayMs !== undefined) await this.#delay(delayMs);
      if (fails) throw injected(`the activity failed ${side} its work`);
      if (error !== undefined) throw error;
    };
    if (side === "before") await disturb();
    const result = await body();
    if (side === "after") await disturb();
    return answer === undefined ? result : answer.value;
  }

  /** Waits for virtual time. Rejects when the signal is aborted. */
  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#world;
    const ended = new Deferred<void>();
    const end = () => ended.resolve();
    const clear = ms === Infinity ? ignore : clock.setTimer(clock.now() + ms, end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    await this.#waitFor(ended.promise);
    clear();
    signal.removeEventListener("abort", end);
    signal.throwIfAborted();
  }

  #delay(ms: number): Promise<void> {
    const { clock } = this.#world;
    return this.#waitFor(new Promise<void>((resolve) => clock.setTimer(clock.now() + ms, resolve)));
  }

  /** Waits for what the world lets happen. The world need not wait for this process meanwhile. */
  async #waitFor(moved: PromiseLike<unknown>): Promise<void> {
    this.#delayed++;
    this.#world.clock.step();
    await moved;
    await this.#resumed();
    if (this.dead) return await never;
    this.#delayed--;
  }
}

/** Whether an attempt waits for nothing real: it is of a replacement, or of an activity of which the test says so. */
export function isFake(call: ActivityCall): boolean {
  return call.replaced || fakeActivities.has(call);
}

/** The error of a fault of the plan. */
class InjectedFault extends Error {}

/** Whether an error comes from a fault of the plan: of the store, or of a process that stood still while it waited for the store. */
export function isInjected(error: unknown): boolean {
  return error instanceof InjectedFault || codeOf(error) === "store_failed";
}

function injected(what: string): Error {
  return new InjectedFault(`Injected fault: ${what}`);
}

async function settling(answer: PromiseLike<unknown>, settled: () => unknown): Promise<unknown> {
  try {
    return await answer;
  } finally {
    const waits = settled();
    if (waits !== undefined) await waits;
  }
}

const ignore = () => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
