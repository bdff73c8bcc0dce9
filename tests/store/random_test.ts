/**
 * Random operations on the store, compared with a model of it: `tests/support/store_model.ts`.
 *
 * A failure names the seed, the step and the operation. Move its game to the top of `GAMES` to repeat it.
 *
 * @module
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  type AppendBatch,
  InMemoryStore,
  type InMemoryStoreOptions,
  type PageOptions,
  VirtualClock,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowState,
  type WorkflowStateInit,
  type WorkflowStatus,
} from "@rockpool/workflow";
import { type Kept, StoreModel } from "../support/store_model.ts";
import { seeded } from "@rockpool/workflow/testing";

const statuses: WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

interface Game {
  readonly seed: number;
  /** The number of different IDs. */
  readonly ids: number;
  /** Whether the times of creation never decrease. */
  readonly ordered?: boolean;
  readonly options?: InMemoryStoreOptions;
}

const GAMES: Game[] = [
  { seed: 1, ids: 12 },
  { seed: 2, ids: 12, ordered: true },
  { seed: 3, ids: 60, ordered: true },
  { seed: 4, ids: 12, options: { maxWorkflows: 6 } },
  { seed: 5, ids: 12, options: { maxWorkflows: 6, whenFull: "evict" } },
  { seed: 6, ids: 12, options: { maxEventsPerWorkflow: 4 } },
  { seed: 20_240, ids: 12, options: { finishedTtlMs: 30 } },
  {
    seed: 987_654_321,
    ids: 30,
    ordered: true,
    options: { maxWorkflows: 10, whenFull: "evict", maxEventsPerWorkflow: 6, finishedTtlMs: 60 },
  },
];
const STEPS = 200_000 / GAMES.length;

/** Random choices, determined by a seed. */
class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  readonly below = (n: number): number => Math.floor(this.#random() * n);
  readonly pick = <T>(values: readonly T[]): T => values[this.below(values.length)];

  value(): unknown {
    const n = this.below(9);
    return this.pick([undefined, 1, "text", { n, list: [n] }, [null, true], new Date(n)]);
  }

  labels(): Record<string, string> {
    return this.pick<Record<string, string>>([{}, { a: "1" }, { a: "2" }, { b: "1" }, { a: "1", b: "1" }, {
      constructor: "1",
    }]);
  }

  event(): WorkflowEvent {
    const at = this.below(1000);
    if (this.below(12) === 0) return { type: "cancel_requested", at };
    if (this.below(6) === 0) return { type: "labels_changed", at, seq: this.below(9), labels: this.labels() };
    const [name, signalId] = [this.pick(["s", "t"]), `${this.below(1e6)}`];
    return { type: "signal_received", at, name, signalId, payload: this.value() ?? null };
  }

  events(): WorkflowEvent[] {
    return Array.from({ length: this.below(3) }, () => this.event());
  }

  lastEvent(): WorkflowEvent {
    const at = this.below(1000);
    const error = { name: "Error", message: `${at}`, data: { at } };
    return this.pick<WorkflowEvent>([
      { type: "workflow_completed", at, result: this.value() ?? null },
      { type: "workflow_failed", at, error },
      { type: "workflow_canceled", at, error },
    ]);
  }

  filter(time: () => number): WorkflowFilter {
    const filter: { -readonly [K in keyof WorkflowFilter]: WorkflowFilter[K] } = {};
    const [one, other] = [this.pick(statuses), this.pick(statuses)];
    if (this.below(2)) filter.status = this.pick([one, [one, other], [other, one, other], []]);
    if (this.below(4) === 0) filter.workflowName = this.pick(["", "saved", "appended"]);
    if (this.below(4) === 0) filter.idPrefix = this.pick(["", "w", "w1", "w10", "x"]);
    if (this.below(4) === 0) filter.labels = this.labels();
    if (this.below(4) === 0) filter.createdAfter = time();
    if (this.below(4) === 0) filter.createdBefore = time();
    if (this.below(2)) filter.order = this.pick(["asc", "desc"]);
    return filter;
  }
}

/** The result of a call: empty if it succeeded, else the code of the error. */
const outcomeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(() => "", (error) => error instanceof WorkflowError ? error.code : error);

/** Frozen states, each with the state of the model to which it was found equal. */
const compared = new WeakMap<WorkflowState, WorkflowState>();

function assertStates(actual: readonly WorkflowState[], expected: readonly Kept[]): void {
  assertEquals(actual.length, expected.length);
  for (const [i, { state }] of expected.entries()) {
    if (compared.get(actual[i]) === state) continue;
    assertEquals(actual[i], state);
    compared.set(actual[i], state);
  }
}

async function play({ seed, ids, ordered = false, options = {} }: Game): Promise<void> {
  const dice = new Dice(seed);
  const { below, pick } = dice;
  const clock = new VirtualClock();
  const model = new StoreModel(clock, options);
  const calls: typeof model.changes = [];
  let store = new InMemoryStore({ clock, ...options });
  store.subscribe((...change) => calls.push(change));
  const loaded: [WorkflowState, string][] = [];
  const pages: { filter: PageOptions; cursor?: string; place?: number }[] = [];
  const walks: { filter: WorkflowFilter; states: AsyncIterator<WorkflowState>; place?: number; left: number }[] = [];

  const anyId = () => `w${below(ids)}`;
  const time = () => ordered ? clock.now() - below(40) : below(1000) - 500;
  const init = (workflowId: string): WorkflowStateInit => ({
    workflowId,
    status: pick(["running", "running", ...statuses]),
    ...(below(4) && { runId: `${below(3) + 1}` }),
    ...(below(2) && { workflowName: "saved" }),
    ...(below(2) && !ordered && { createdAt: time() }),
    ...(below(2) && { updatedAt: below(1000) }),
    ...(below(2) && { input: dice.value() ?? null }),
    ...(below(2) && { labels: dice.labels() }),
    ...(below(4) && { history: [dice.event(), ...dice.events()] }),
  });
  /** A loaded state, perhaps with a changed history; `null` if there is no state. */
  const changed = (state: WorkflowState | null): WorkflowStateInit | null => {
    if (!state?.history.length) return null;
    const { history } = state;
    const edited = history.with(below(history.length), dice.event());
    const histories = [history, history.slice(below(3)), [...history, dice.event()], [...history], edited];
    return { ...state, status: pick([state.status, pick(statuses)]), history: pick(histories) };
  };

  const operations: [weight: number, operation: () => Promise<void>][] = [
    [4, async function save() {
      const state = init(anyId());
      assertEquals(await outcomeOf(store.save(state)), model.save(state));
    }],
    [2, async function saveLoaded() {
      const state = changed(await store.load(anyId()));
      if (state) assertEquals(await outcomeOf(store.save(state)), model.save(state));
    }],
    [12, async function append() {
      const starts = below(3) === 0;
      const running = starts ? [] : model.select({ status: "running" });
      const state = running.length > 0 && below(4) > 0 ? pick(running).state : model.find(anyId());
      const workflowId = state?.workflowId ?? anyId();
      const at = ordered ? clock.now() : time();
      const labels = below(2) ? { labels: dice.labels() } : {};
      const first = { type: "workflow_started", at, workflowName: "appended", input: dice.value(), ...labels } as const;
      const events = [...(starts ? [first] : []), ...dice.events(), ...(below(4) === 0 ? [dice.lastEvent()] : [])];
      if (events.length === 0) events.push(dice.event());
      const astray = below(5) === 0;
      const batch: AppendBatch = {
        workflowId,
        runId: !astray && !starts && state?.runId || `${below(3) + 1}`,
        expectedLength: starts ? 0 : Math.max(1, (state?.history.length ?? 0) + (astray ? below(3) - 1 : 0)),
        events,
        ...(starts && below(2) && state?.runId && { replaces: state.runId }),
      };
      if (batch.replaces === batch.runId) return;
      assertEquals(await outcomeOf(store.append(batch)), model.append(batch));
    }],
    [3, async function update() {
      const workflowId = anyId();
      const stored = model.find(workflowId) ?? null;
      const edit = pick([() => null, () => undefined, () => init(workflowId), changed, changed]);
      const failure = below(6) === 0 ? new Error("Thrown") : undefined;
      const edited: (WorkflowStateInit | null | undefined)[] = [];
      const change = (state: WorkflowState | null) => {
        assertEquals(state, stored);
        if (failure) throw failure;
        edited.push(edit(state));
        return edited[0];
      };
      const slowly = async (state: WorkflowState | null) => {
        await null;
        clock.advance(below(3));
        assertEquals(store.size, model.size); // nothing expires in between
        return change(state);
      };
      const updated = store.update(workflowId, pick([change, slowly]));
      const outcome = await outcomeOf(updated);
      assertEquals([outcome, edited.length], [failure ?? (edited[0] ? model.save(edited[0]) : ""), failure ? 0 : 1]);
      if (outcome === "") assertEquals(await updated, model.find(workflowId) ?? null);
    }],
    [2, async function remove() {
      const workflowId = anyId();
      await store.delete(workflowId);
      model.delete(workflowId);
    }],
    [4, async function load() {
      const workflowId = `w${below(ids + 1)}`;
      const state = await store.load(workflowId);
      assertEquals(state, model.find(workflowId) ?? null);
      if (state && below(20) === 0) loaded.push([state, JSON.stringify(state)]);
    }],
    [2, async function list() {
      const filter = { ...dice.filter(time), limit: pick([undefined, below(14), Infinity]) };
      assertStates(await store.list(filter), model.select(filter));
    }],
    [1, async function count() {
      const filter = dice.filter(time);
      assertEquals(await store.count({ ...filter, limit: below(3) }), model.select(filter).length);
    }],
    [4, async function page() {
      if (pages.length < 4) pages.push({ filter: dice.filter(time) });
      const paging = pick(pages);
      const limit = below(4) + 1;
      const wanted = model.select(paging.filter, paging.place);
      const { states, cursor } = await store.page({ ...paging.filter, limit, cursor: paging.cursor });
      assertStates(states, wanted.slice(0, limit));
      assertEquals(cursor !== undefined, wanted.length > limit);
      if (cursor === undefined) pages.splice(pages.indexOf(paging), 1);
      else Object.assign(paging, { cursor, place: wanted[limit - 1].place });
    }],
    [4, async function walk() {
      if (walks.length < 4) {
        const filter = { ...dice.filter(time), limit: pick([undefined, below(6)]) };
        walks.push({ filter, states: store.walk(filter), left: filter.limit ?? Infinity });
      }
      const walking = pick(walks);
      const [wanted] = walking.left-- > 0 ? model.select({ ...walking.filter, limit: 1 }, walking.place) : [];
      const { done = false, value } = await walking.states.next();
      assertEquals([done, value], [wanted === undefined, wanted?.state]);
      if (wanted === undefined) walks.splice(walks.indexOf(walking), 1);
      walking.place = wanted?.place;
    }],
  ];
  const restore = async () => {
    store = InMemoryStore.restore(await store.snapshot(), { clock, ...options });
    store.subscribe((...change) => calls.push(change));
    walks.length = 0; // they walk the old store; pages continue in the new one
  };
  const hat = operations.flatMap(([weight, operation]) => Array<typeof operation>(weight).fill(operation));

  for (let step = 0; step < STEPS; step++) {
    const operation = pick(hat);
    calls.length = model.changes.length = 0;
    model.expire(); // as the first call of the operation does
    try {
      if (below(500) === 0) await restore();
      await operation();
      const { size } = store;
      model.expire();
      assertEquals([size, calls], [model.size, model.changes]);
    } catch (cause) {
      throw new Error(`Seed ${seed}, step ${step}, ${operation.name}`, { cause });
    }
    clock.advance(below(2));
  }
  for (const [state, text] of loaded) assertStrictEquals(JSON.stringify(state), text);
}

for (const game of GAMES) {
  const { options, ...rest } = game;
  const name = Object.entries({ ...rest, ...options }).map((entry) => entry.join(" ")).join(", ");
  Deno.test(`InMemoryStore behaves as its model in ${STEPS} random operations: ${name}`, () => play(game));
}
