/**
 * One process of a scene: an executor, its way to the store, and its death.
 *
 * 1. A dead process writes nothing, reads nothing, begins no activity and hears of no time any more.
 * 2. What is stored is in the journal, whether or not the process learned of it.
 *
 * @module
 */

import { Executor } from "../../executor.ts";
import type {
  AppendBatch,
  StoreListener,
  WorkflowFilter,
  WorkflowState,
  WorkflowStateInit,
  WorkflowStore,
} from "../../types.ts";
import { isThenable } from "../../util/deferred.ts";
import { recording, replacementOf } from "../activity_recorder.ts";
import type { ActivityCall } from "../fakes.ts";
import type { World } from "./world.ts";
import type { EventPlace } from "./journal.ts";
import { hop, ProcessClock } from "./world_clock.ts";

/** Where a process dies at a write: before it is carried out, after it with the answer lost, or in the turn that follows. */
export type DeathSide = "before" | "after" | "between";

/** What becomes of a write. */
export interface WriteFault {
  readonly die?: DeathSide;
  readonly fail?: "before" | "after";
  /** For how many turns of the event loop it is on its way. */
  readonly hops?: number;
}

/** What becomes of an attempt of an activity, before its body has run or after. */
export interface AttemptFault {
  readonly side: "before" | "after";
  readonly delayMs?: number;
  readonly fails?: boolean;
}

/** A write as it begins. */
export interface Write {
  readonly proc: SimulatedProcess;
  /** Which write of the process it is, counted from 1. */
  readonly nth: number;
  readonly batch: AppendBatch;
}

/** How a process died, at which event: the last one that was stored, or the first one that was not. */
export interface Death extends EventPlace {
  readonly side: DeathSide;
}

const never = new Promise<never>(() => {});

export class SimulatedProcess implements WorkflowStore {
  readonly executor: Executor;
  /** Which of the scene's executors it is, counted from 0, and how many processes of that executor have died before. */
  readonly index: number;
  readonly life: number;
  dead = false;
  /** Activities and calls of the store that are on their way, and how many of them wait for a timer of the world. */
  #running = 0;
  #delayed = 0;
  /** Attempts whose own code is at work, and those among them that are taken to wait for time to pass. */
  readonly #working = new Set<ActivityCall>();
  readonly #dozing = new Set<ActivityCall>();
  readonly #world: World;
  readonly #clock: ProcessClock;
  #writes = 0;
  #reads = 0;
  /** Dies before it writes again, or as soon as nothing else is to be done in this turn. */
  #doomed: Death | undefined;

  constructor(world: World, index: number, life: number) {
    this.#world = world;
    this.index = index;
    this.life = life;
    this.#clock = new ProcessClock(world.clock);
    const { scene, journal, store } = world;
    if (store.subscribe !== undefined) {
      this.subscribe = (listener) => store.subscribe!((...change) => void (this.dead || listener(...change)));
    }
    const { executor: { onError = console.error, replaceActivity, ...options } = {}, workflows } = scene;
    this.executor = new Executor({
      logger: silent,
      random: () => 0.5,
      ...options,
      store: this,
      clock: this.#clock,
      workflows,
      newRunId: (workflowId) => {
        const suffix = scene.executors === 1 ? "" : `-${index}.${life}`;
        return `${workflowId}/${journal.begun(workflowId) + 1}${suffix}`;
      },
      replaceActivity: (activity, name) => {
        const replacement = replacementOf(scene.activities, activity, name);
        if (replacement !== undefined) world.used.add(replacement);
        const fake = replacement?.fake ?? replaceActivity?.(activity, name);
        const body = fake ?? activity;
        const about = { name, replaced: fake !== undefined, now: () => world.clock.now() };
        return recording(about, (input, context, call) => this.#perform(call, () => body(input, context)));
      },
      onError: (error) => {
        if (this.dead) return;
        if ((error as { code?: unknown })?.code === "unknown_workflow") world.fail("suspended", error);
        else onError(error);
      },
    });
  }

  /** Whether everything that it does waits for a timer. */
  get quiet(): boolean {
    if (this.dead || (this.#running === 0 && !this.#clock.held)) return true;
    return this.#delayed > 0 && this.#running === this.#delayed && this.#world.still;
  }

  /** Whether activities are at work that do not heed that the process is gone. */
  get busy(): boolean {
    return this.#running > this.#delayed;
  }

  /** Whether all that is on its way are fakes, which wait for nothing that takes real time. */
  get fakesOnly(): boolean {
    const working = [...this.#working].filter((call) => !this.#dozing.has(call));
    return working.length > 0 && working.length === this.#running - this.#delayed &&
      working.every(({ replaced }) => replaced);
  }

  /** Takes the activities that are at work to wait for time to pass, or for ever. Answers whether there are any. */
  doze(): boolean {
    const before = this.#dozing.size;
    for (const call of this.#working) this.#dozing.add(call);
    this.#delayed += this.#dozing.size - before;
    return this.#dozing.size > before;
  }

  /** The process is gone from now on. */
  die(death: Death): void {
    if (this.dead) return;
    this.dead = true;
    this.#world.died(this, death);
  }

  /** Ends what is left of it. */
  async end(): Promise<void> {
    this.dead = true;
    this.#clock.die();
    await this.executor.close();
  }

  readonly subscribe?: (listener: StoreListener) => () => void;

  save(state: WorkflowStateInit): Promise<void> {
    return this.#call(() => this.#world.store.save(state));
  }

  load(workflowId: string): Promise<WorkflowState | null> {
    return this.#call(() => this.#read(() => this.#world.store.load(workflowId)));
  }

  list(filter?: WorkflowFilter): Promise<WorkflowState[]> {
    return this.#call(() => this.#read(() => this.#world.store.list(filter)));
  }

  delete(workflowId: string): Promise<void> {
    return this.#call(() => this.#world.store.delete(workflowId));
  }

  append(batch: AppendBatch): Promise<void> {
    return this.#call(() => this.#append(batch));
  }

  async #call<T>(body: () => Promise<T>): Promise<T> {
    this.#assertAlive();
    this.#running++;
    try {
      return await body();
    } finally {
      this.#running--;
      this.#world.clock.stirred++;
      this.#assertAlive();
    }
  }

  #read<T>(body: () => Promise<T>): Promise<T> {
    if (this.#world.fate.read?.(this, ++this.#reads)) throw new Error("The store failed, as the simulation wants it");
    return body();
  }

  async #append(batch: AppendBatch): Promise<void> {
    const { journal, store, fate } = this.#world;
    if (this.#doomed !== undefined) return this.die(this.#doomed);
    const { die, fail, hops = 0 } = fate.write?.({ proc: this, nth: ++this.#writes, batch }) ?? {};
    for (let i = 0; i < hops; i++) await hop();
    this.#assertAlive();
    const death = die && { side: die, ...journal.place(batch, die === "before" ? "first" : "last") };
    if (die === "before") return this.die(death!);
    if (fail === "before") throw new Error("The store failed before the write, as the simulation wants it");
    await store.append(batch);
    journal.add(batch);
    await this.#world.stored();
    if (die === "after") return this.die(death!);
    if (fail === "after") throw new Error("The store's answer was lost, as the simulation wants it");
    if (die === "between") this.#doom(death!);
  }

  /** Dies when the workflows have seen what is stored. */
  async #doom(death: Death): Promise<void> {
    this.#doomed = death;
    for (let i = 0; i < 2; i++) await hop();
    this.die(death);
  }

  #assertAlive(): void {
    if (this.dead) throw new Error("The process is dead");
  }

  /** Runs an attempt of an activity, with what the world does to it. */
  #perform(call: ActivityCall, body: () => unknown): unknown {
    if (this.dead) return never;
    this.#world.called(call);
    const fate = this.#world.fate.attempt?.(call);
    const work = () => this.#work(call, body());
    return this.#count(fate === undefined ? work() : this.#meddle(fate, work));
  }

  /** Notes that an attempt's own code is at work. */
  #work(call: ActivityCall, answer: unknown): unknown {
    if (!isThenable(answer)) return answer;
    this.#working.add(call);
    return (async () => {
      try {
        return await answer;
      } finally {
        this.#working.delete(call);
        if (this.#dozing.delete(call)) this.#delayed--;
      }
    })();
  }

  async #meddle({ side, delayMs, fails }: AttemptFault, body: () => unknown): Promise<unknown> {
    const meddle = async () => {
      if (delayMs !== undefined) await this.#delay(delayMs);
      if (fails) throw new Error(`The activity failed ${side} its work, as the simulation wants it`);
    };
    if (side === "before") await meddle();
    const answer = await body();
    if (side === "after") await meddle();
    return answer;
  }

  async #delay(ms: number): Promise<void> {
    const { clock } = this.#world;
    this.#delayed++;
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + ms, resolve));
    if (this.dead) return await never;
    this.#delayed--;
  }

  /** Counts what is on its way. */
  #count(answer: unknown): unknown {
    if (!isThenable(answer)) return answer;
    this.#running++;
    return (async () => {
      try {
        return await answer;
      } finally {
        this.#running--;
        this.#world.clock.stirred++;
      }
    })();
  }
}

const ignore = () => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
