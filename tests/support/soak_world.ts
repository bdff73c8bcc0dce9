/**
 * One world of the soak: random workflows on one store, which several executors share. The executors close and come back, the
 * store fails, is slow and reads what is old, callers send signals and updates, cancel and look. Invariants:
 *
 * 1. Every history is well formed, and replays to the outcome of its run.
 * 2. Every run ends, every call settles, and all executors report the same outcome.
 * 3. A signal that was sent is stored once, and read once and in order over all runs of the chain, but for the last ones.
 * 4. An update is handled once over all runs of the chain, and every caller gets the same answer.
 * 5. No activity begins in an executor that knows its outcome. Nothing is undone while something in the same scope is in flight.
 * 6. The history of a run that has ended does not change.
 * 7. At the end all slots are free. Closed executors leave no timer, no subscription and no listener.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type Clock,
  Executor,
  type SignalReceivedEvent,
  systemClock,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowState,
  type WorkflowStore,
} from "@rockpool/workflow";
import { assertReplays, FaultyStore, seeded } from "@rockpool/workflow/testing";
import { macrotasks, silent } from "./executors.ts";
import { CountingClock, Fakes } from "./fakes.ts";
import { Knowledge } from "./knowledge.ts";
import { gotten, randomEntity, randomEntityProgram, take } from "./random_entity.ts";
import { assertReads, assertUndoneLast } from "./random_workflow.ts";
import { outcomeOf } from "./restarts.ts";
import { countingAbort, isFinal, Journal } from "./soak_journal.ts";
import { assertWellFormed } from "./well_formed.ts";

/** How a world differs from the usual ones. */
export interface WorldOptions {
  /** Whether the time is virtual; by default the seed decides. */
  readonly isVirtual?: boolean;
  /** Plants a fault: returns the store that the executors use in place of the given one. */
  readonly plant?: (store: WorkflowStore) => WorkflowStore;
}

/** What happened in a world. */
export interface WorldReport {
  readonly isVirtual: boolean;
  readonly runs: number;
  readonly events: number;
  readonly signals: number;
  readonly answers: number;
  readonly restarts: number;
  readonly faults: number;
}

/** How long a world may take in real time, in milliseconds. */
const LIMIT_MS = 300_000;
const unreachable = ["not_found", "unsupported", "closed", "conflict"];
const isUnreachable = (error: unknown): error is WorkflowError =>
  error instanceof WorkflowError && unreachable.includes(error.code);

/** Plays the world of a seed, and checks the invariants. */
export async function playWorld(seed: number, { isVirtual, plant }: WorldOptions = {}): Promise<WorldReport> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const world = new World(seed, isVirtual, plant);
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it does not end: ${world.describe()}`)), LIMIT_MS);
  });
  try {
    return await Promise.race([world.play(), tooLong]);
  } catch (error) {
    throw new Error(`${error}\n${world.historiesIn(`${error}`)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

class World {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #isVirtual: boolean;
  readonly #journal = new Journal();
  readonly #faulty: FaultyStore;
  readonly #store: WorkflowStore;
  readonly #fakes: Fakes;
  readonly #entity: ReturnType<typeof randomEntityProgram>;
  readonly #settings;
  readonly #clocks: CountingClock[] = [];
  /** What the executors know, also those that are closed. */
  readonly #knowledge: Knowledge[] = [];
  readonly #executors: Executor[];
  readonly #abort = countingAbort();
  readonly #ids: string[] = [];
  readonly #sent = new Map<string, number[]>();
  readonly #answers = new Map<string, Set<string>>();
  readonly #outcomes = new Map<string, Set<string>>();
  readonly #waiting: Promise<unknown>[] = [];
  /** The calls that have not settled, for messages. */
  readonly #open = new Set<string>();
  #fails = true;
  #restarts = 0;
  #phase = "begins";

  constructor(seed: number, isVirtual: boolean | undefined, plant: WorldOptions["plant"] = (store) => store) {
    const random = this.#random = seeded(seed);
    const integer = (below: number) => Math.floor(random() * below);
    const maybe = <T>(chance: number, value: T) => random() < chance ? value : undefined;
    const decided = random() < 0.5;
    this.#seed = seed;
    this.#isVirtual = isVirtual ?? decided;
    const clock = this.#clock = this.#isVirtual ? new VirtualClock() : systemClock;
    const latencyMs = maybe(0.3, [0, 6] as const);
    const slowReadMs = maybe(0.3, [0, 20] as const);
    const staleRead = maybe(0.3, 0.2);
    this.#faulty = new FaultyStore(this.#journal, {
      ...{ seed, clock, failBefore: 0.03, failAfter: 0.03, conflict: 0.02, latencyMs, slowReadMs, staleRead },
      suppress: () => !this.#fails,
    });
    this.#store = plant(this.#faulty);
    this.#fakes = new Fakes();
    this.#fakes.clock = clock;
    this.#entity = randomEntityProgram(this.#fakes);
    this.#settings = {
      dormantAfterMs: maybe(0.4, integer(2) * 20),
      maxConcurrentActivities: maybe(0.4, 2 + integer(4)),
      maxConcurrentWorkflows: maybe(0.4, 1 + integer(3)),
      maxHistoryEvents: maybe(0.1, 60 + integer(100)),
    };
    this.#executors = Array.from({ length: 1 + integer(3) }, () => this.#start());
    this.#ids = Array.from({ length: 1 + integer(4) }, (_, i) => `${seed}/${i}`);
  }

  /** What it does, for the message that it takes too long. */
  describe(): string {
    const open = this.#executors.map((executor) => JSON.stringify(executor.openRuns()).slice(0, 500));
    const calls = [...this.#open].join("; ");
    return `it ${this.#phase}; ${JSON.stringify(this.#settings)}; open runs: ${open.join("; ")}; open calls: ${calls}`;
  }

  /** The histories of the workflows that a message names. */
  historiesIn(message: string): string {
    const lines = [JSON.stringify(this.#settings)];
    for (const [runId, { workflowId, history }] of this.#journal.runs) {
      if (!message.includes(workflowId) && !message.includes(runId)) continue;
      lines.push(`${workflowId}, run ${runId}`, ...history.map((event) => `  ${JSON.stringify(event).slice(0, 300)}`));
    }
    return lines.slice(0, 80).join("\n");
  }

  async play(): Promise<WorldReport> {
    await this.#live();
    await this.#checkOutcomes();
    await this.#checkSlots();
    this.#phase = "closes";
    await Promise.all(this.#executors.map((executor) => executor.close()));
    await Promise.all(this.#waiting);
    await macrotasks(3);
    // In real time, a call of the store that failed before the end may still wait for its repetition.
    for (let i = 0; !this.#isVirtual && i < 50 && this.#timers.length > 0; i++) await this.#pass();
    this.#checkLeaks();
    await this.#checkHistories();
    const runs = [...this.#journal.runs.values()];
    return {
      isVirtual: this.#isVirtual,
      runs: runs.length,
      events: runs.reduce((sum, { history }) => sum + history.length, 0),
      signals: [...this.#sent.values()].reduce((sum, sent) => sum + sent.length, 0),
      answers: this.#answers.size,
      restarts: this.#restarts,
      faults: this.#faulty.faults.length,
    };
  }

  #start(): Executor {
    const clock = new CountingClock(this.#clock);
    const knowledge = new Knowledge(() => this.#clock.now(), this.#isVirtual ? 200 : 5000);
    this.#clocks.push(clock);
    this.#knowledge.push(knowledge);
    return new Executor({
      ...this.#settings,
      store: knowledge.of(this.#store),
      replaceActivity: knowledge.replaceActivity,
      clock,
      logger: silent,
      random: this.#random,
      storeRetry: { maxAttempts: Infinity, initialIntervalMs: 5, maxIntervalMs: 50 },
      workflows: { entity: this.#entity },
      onError: (error) => {
        if (!isUnreachable(error)) this.#journal.violations.push(`an executor reported ${error}`);
      },
    });
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)];
  }

  /** Lets some time pass. */
  async #pass(): Promise<void> {
    if (this.#isVirtual) await macrotasks(1 + Math.floor(this.#random() * 20));
    else await new Promise((resolve) => setTimeout(resolve, 5 + this.#random() * 30));
  }

  /** Starts the workflows, acts on them at random times, and waits until all have ended. */
  async #live(): Promise<void> {
    const random = this.#random;
    const calls: Promise<unknown>[] = [];
    const at = (ms: number, act: () => Promise<unknown>) => {
      const call = async () => {
        try {
          await act();
        } catch (error) {
          assert(isUnreachable(error), `${error}`);
        }
      };
      return this.#clock.setTimer(this.#clock.now() + ms, () => void calls.push(call()));
    };
    this.#clock.hold?.();
    const plans = this.#ids.map((id, i) => at(i === 0 ? 0 : random() * 300, () => this.#execute(id)));
    for (let n = 0; n < 40; n++) plans.push(at(random() * 1500, () => this.#act(n)));
    this.#clock.release?.();
    const isOver = async () => calls.length >= plans.length && await this.#journal.count({ status: "running" }) === 0;
    for (let i = 0; !await isOver(); i++) {
      this.#phase = `lives, round ${i}`;
      await this.#pass();
      if (i % 20 === 19) await this.#recover(); // the executor of a run may have closed
    }
    this.#phase = "waits for its calls";
    await Promise.all(calls);
    this.#fails = false;
  }

  #recover(): Promise<unknown> {
    return this.#pick(this.#executors).recover().catch((error) => assertEquals(error.code, "closed"));
  }

  async #execute(id: string): Promise<void> {
    const random = this.#random;
    const options = {
      id,
      input: randomEntity(random),
      timeoutMs: 500 + random() * 3000,
      ...(random() < 0.3 ? { signal: this.#abort.signal } : {}),
      ...(random() < 0.2 ? { startAfterMs: random() * 300 } : {}),
      onConflict: "join", // an executor that is closed may have stored it
      reuse: "join",
    } as const;
    for (let i = 0, handle; handle === undefined; i++) {
      handle = await this.#pick(this.#executors).execute(this.#entity, options).catch((error) => {
        if (error.code !== "closed") throw error; // else with another executor
      });
      if (handle !== undefined) this.#follow(id, handle.result({ signal: this.#abort.signal }));
    }
  }

  /** Notes the outcome that a caller gets. */
  #follow(id: string, result: Promise<unknown>): void {
    const noted = outcomeOf(result.catch((error) => {
      if (!isUnreachable(error)) throw error; // its executor was closed, or the call was aborted
    })).then((outcome) => {
      if (outcome !== "undefined") this.#outcomesOf(id).add(outcome);
    });
    this.#waiting.push(noted);
  }

  #outcomesOf(id: string): Set<string> {
    const outcomes = this.#outcomes.get(id) ?? new Set();
    this.#outcomes.set(id, outcomes);
    return outcomes;
  }

  /** Does something at random. */
  async #act(n: number): Promise<unknown> {
    const id = this.#pick(this.#ids);
    const executor = this.#pick(this.#executors);
    const roll = this.#random();
    const call = `${n} on ${id}, roll ${roll.toFixed(2)}`;
    this.#open.add(call);
    return await this.#actOn(id, executor, roll, n).finally(() => this.#open.delete(call));
  }

  async #actOn(id: string, executor: Executor, roll: number, n: number): Promise<unknown> {
    if (roll < 0.35) return await this.#signal(id, "n", n);
    if (roll < 0.5) return await this.#signal(id, this.#pick(["s", "t", "u"]), n);
    if (roll < 0.72) return await this.#update(executor, id, Math.floor(this.#random() * 6));
    if (roll < 0.76) return await executor.cancel(id, "random");
    if (roll < 0.82) return await this.#restart();
    if (roll < 0.88) return await executor.recover();
    if (roll < 0.92) return await executor.query(id, gotten);
    if (roll < 0.95) return await executor.describe(id);
    const controller = new AbortController();
    const result = (await executor.handle(id)).result({ signal: controller.signal });
    controller.abort(new WorkflowError("closed", "enough"));
    return await result;
  }

  /** Sends a signal up to four times: callers repeat what may not be stored, and also what is. */
  async #signal(id: string, name: string, n: number): Promise<void> {
    let isStored = false;
    for (let tries = 1; tries <= 4; tries++) {
      try {
        await this.#pick(this.#executors).signal(id, name, n, { signalId: `${name} ${n}` });
        if (!isStored && name === "n") this.#sent.set(id, [...this.#sent.get(id) ?? [], n]);
        isStored = true;
        if (this.#random() < 0.7) return;
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        assert(
          !isStored || error.code === "closed",
          `signal ${name} ${n} of ${id} was stored and then refused: ${error}`,
        );
      }
    }
  }

  async #update(executor: Executor, id: string, n: number): Promise<void> {
    const answer = await outcomeOf(
      executor.update(id, take, n, { updateId: `${n}` }).catch((error) => {
        if (!isUnreachable(error)) throw error;
      }),
    );
    if (answer === "undefined") return;
    const key = `${id} ${n}`;
    this.#answers.set(key, (this.#answers.get(key) ?? new Set()).add(answer));
  }

  async #restart(): Promise<void> {
    const i = Math.floor(this.#random() * this.#executors.length);
    const old = this.#executors[i];
    const drainMs = this.#random() < 0.3 ? this.#random() * 100 : 0;
    this.#executors[i] = this.#start();
    await old.close({ drainMs });
    await this.#executors[i].recover();
    this.#restarts++;
  }

  /** All executors agree. */
  async #checkOutcomes(): Promise<void> {
    for (const id of this.#ids) {
      this.#phase = `asks how ${id} ended`;
      for (const executor of this.#executors) {
        this.#outcomesOf(id).add(await outcomeOf(executor.handle(id).then((handle) => handle.result())));
      }
      assertEquals(this.#outcomesOf(id).size, 1, `the outcomes of ${id}: ${[...this.#outcomesOf(id)].join(" | ")}`);
      await this.#checkSignals(id);
      await this.#checkAnswers(id);
    }
  }

  /** The signals of a workflow, in the order in which they were stored over all runs of its chain. */
  #arrived(id: string): SignalReceivedEvent[] {
    const arrived = new Map<string, SignalReceivedEvent>();
    for (const { workflowId, history } of this.#journal.runs.values()) {
      if (workflowId !== id) continue;
      for (const event of history) if (event.type === "signal_received") arrived.set(event.signalId, event);
    }
    return [...arrived.values()];
  }

  async #checkSignals(id: string): Promise<void> {
    const executor = this.#executors[0];
    const got: readonly number[] = await executor.query(id, gotten).catch((error) => {
      assertEquals(error.code, "not_found"); // it was cancelled before its code began
      return [];
    });
    const arrived = new Map<string, number>();
    for (const { workflowId, history } of this.#journal.runs.values()) {
      if (workflowId !== id) continue;
      for (const event of history) {
        if (event.type === "signal_received" && event.name === "n") {
          arrived.set(event.signalId, event.payload as number);
        }
      }
    }
    const inOrder = [...arrived.values()];
    assertEquals(got, inOrder.slice(0, got.length), `the signals that ${id} has read, of ${inOrder}`);
    const sent = this.#sent.get(id) ?? [];
    assertEquals(new Set(inOrder).size, inOrder.length, `the signals of ${id}: ${inOrder}`);
    assertEquals(sent.filter((n) => !inOrder.includes(n)), [], `signals of ${id} were lost`);
  }

  async #checkAnswers(id: string): Promise<void> {
    const { history } = (await this.#journal.load(id))!;
    for (const [key, given] of this.#answers) {
      if (!key.startsWith(`${id} `)) continue;
      assertEquals(given.size, 1, `update ${key} was answered ${[...given]}`);
    }
    for (const event of history) {
      if (event.type !== "update_completed") continue;
      const { updateId, result, error } = event;
      const again = await outcomeOf(this.#executors[0].update(id, take, Number(updateId), { updateId }));
      assert(again.includes(error?.message ?? `${result}`), `update ${id} ${updateId} is answered ${again} afterwards`);
    }
  }

  /** As many activities and workflows as there are slots can run at once. */
  async #checkSlots(): Promise<void> {
    const { maxConcurrentActivities: activities, maxConcurrentWorkflows: workflows } = this.#settings;
    for (const [i, executor] of this.#executors.entries()) {
      this.#phase = `checks the slots of executor ${i}`;
      while (executor.openRuns().length > 0) await this.#pass();
      if (activities !== undefined) {
        const all = Promise.withResolvers<void>();
        let begun = 0;
        const arrive = () => {
          if (++begun === activities) all.resolve();
          return all.promise;
        };
        const probe = (ctx: WorkflowContext) =>
          Promise.all(Array.from({ length: activities }, () => ctx.executeActivity(arrive)));
        await (await executor.execute(probe, { id: `${this.#seed}/activities/${i}` })).result();
      }
      if (workflows !== undefined) {
        let begun = 0;
        const all = Promise.withResolvers<void>();
        const probe = (ctx: WorkflowContext) => {
          if (++begun === workflows) all.resolve();
          return ctx.waitForSignal("go");
        };
        const ids = Array.from({ length: workflows }, (_, k) => `${this.#seed}/workflows/${i}/${k}`);
        const handles = await Promise.all(ids.map((id) => executor.execute(probe, { id })));
        await all.promise;
        await Promise.all(handles.map(async (handle) => {
          await handle.signal("go");
          await handle.result();
        }));
      }
    }
  }

  get #timers(): number[] {
    return this.#clocks.flatMap(({ rest }) => rest);
  }

  #checkLeaks(): void {
    assertEquals(this.#timers, [], "timers of closed executors");
    assertEquals(this.#journal.subscriptions, 0, "subscriptions of closed executors");
    assertEquals(this.#abort.listeners.size, 0, "listeners on an AbortSignal");
    assertEquals(this.#journal.violations, []);
    assertEquals(this.#knowledge.flatMap(({ repeated }) => repeated), [], "activities that began after their outcome");
  }

  async #checkHistories(): Promise<void> {
    this.#phase = "replays";
    for (const [runId, { workflowId, history }] of this.#journal.runs) {
      const state = { workflowId, runId, status: "running", history } as unknown as WorkflowState;
      const last = history.at(-1)!;
      const status = isFinal(last) ? last.type.replace("workflow_", "") : "running";
      assertWellFormed("a run", { ...state, status: status as WorkflowState["status"] });
      assertUndoneLast(runId, state);
    }
    const history = this.#ids.flatMap((id) => this.#arrived(id));
    assertReads("reads", this.#fakes.reads, { history } as unknown as WorkflowState);
    for (const state of await this.#journal.list()) {
      if (state.workflowName === "entity") await assertReplays(this.#entity, state);
    }
  }
}
