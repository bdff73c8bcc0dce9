/**
 * The demo's story: orders arrive, an executor is stopped in the middle of its work, another executor resumes from the same store.
 *
 * Owns the course of events, and collects what the report shows. Prints nothing. Everything happens on one virtual clock, so the
 * story is the same each time, and 30 days take no time.
 *
 * @module
 */

import {
  type Clock,
  Executor,
  InMemoryStore,
  type Middleware,
  type MiddlewareCall,
  VirtualClock,
  WorkflowError,
  type WorkflowState,
  type WorkflowStore,
} from "@rockpool/workflow";
import type { TimelineMark } from "@rockpool/workflow/pictures";
import type { Order } from "./order.ts";
import { createOrderWorkflow, STEP_ATTEMPTS } from "./order_workflow.ts";
import type { ScriptedOrder } from "./read_orders.ts";
import { SimulatedShop } from "./simulated_shop.ts";

const MINUTE_MS = 60_000;

/** How long no executor runs orders. */
export const DOWNTIME_MS = 20 * MINUTE_MS;

/** What happened to one order. */
export interface OrderStory {
  readonly order: Order;
  /** The stored state at the end. */
  readonly state: WorkflowState;
  /** The stored state after the first executor stopped. */
  readonly stateAtStop: WorkflowState;
  /** How often each activity really ran, by name. */
  readonly runs: ReadonlyMap<string, number>;
  /** The same, after the first executor stopped. */
  readonly runsAtStop: ReadonlyMap<string, number>;
  /** The stop and the recovery, for the timeline; empty if the order ended before. */
  readonly marks: readonly TimelineMark[];
  /** Signals and cancellations that came too late to have an effect. */
  readonly notes: readonly string[];
}

/** Where the first executor was stopped. */
export interface StopStory {
  /** When, in milliseconds from the start. */
  readonly afterMs: number;
  /** The order whose activity was in flight. */
  readonly orderId: string;
  /** The activity that had done its work, and whose answer was lost. */
  readonly activity: string;
  /** The number of the attempt. */
  readonly attempt: number;
  /** The orders that the second executor resumed. */
  readonly recovered: readonly string[];
}

/** The whole story. */
export interface Story {
  readonly orders: readonly OrderStory[];
  readonly stop: StopStory;
  /** How much time passed on the virtual clock, in milliseconds. */
  readonly tookMs: number;
  /** What really happened in the outside world. */
  readonly shop: SimulatedShop;
  /** What holds the runs. */
  readonly store: WorkflowStore;
  /** Stands at the end of the story. */
  readonly clock: Clock;
}

/**
 * Plays the story.
 *
 * @param entries The orders and their external events; at least one order.
 */
export async function playStory(entries: readonly ScriptedOrder[]): Promise<Story> {
  const clock = new VirtualClock({ startAt: Date.UTC(2026, 2, 2, 9) });
  const startAt = clock.now();
  const store = new InMemoryStore({ clock });
  const cards = new Map(entries.map(({ order, script }) => [order.id, script.card]));
  const shop = new SimulatedShop(cards, (ms) => clock.advance(ms)); // the clock does not jump during an activity
  const order = createOrderWorkflow(shop);
  const settings = { store, clock, workflows: { order }, random: () => 0.5 };

  // The first executor works, and stops in the middle of its work.
  const stop = stopInCharge(findLast(entries));
  const first = new Executor({ ...settings, middleware: [stop.middleware] });
  const desk = new Executor(settings); // runs no order: the workshop and the customers signal and cancel through it
  const plans = new Plans(clock);
  const notes = new Map<string, string[]>(entries.map(({ order }) => [order.id, []]));
  for (const { order: input, script: { placedAfterMinutes, approval, cancel } } of entries) {
    const { id } = input;
    const placedAt = startAt + placedAfterMinutes * MINUTE_MS;
    plans.add(placedAt, () => first.execute(order, { id, input }));
    const { afterMinutes, ...payload } = approval;
    const approve = () => desk.signal(id, "approval", payload);
    plans.add(placedAt + afterMinutes * MINUTE_MS, () => noteIfLate(notes.get(id)!, approve));
    if (cancel === undefined) continue;
    const giveUp = () => desk.cancel(id, cancel.reason);
    plans.add(placedAt + cancel.afterMinutes * MINUTE_MS, () => noteIfLate(notes.get(id)!, giveUp));
  }
  const allDone = plans.begin();
  const call = await Promise.race([stop.reached, allDone]);
  if (call === undefined) throw new Error("The last order ended without a charge");
  clock.hold();
  await first.close();
  const stoppedAt = clock.now();
  const atStop = await loadAll(store);
  const runsAtStop = new Map(entries.map(({ order: { id } }) => [id, shop.runsOf(id)]));

  // No executor runs orders, but the outside world continues: its signals are stored.
  await clock.advance(DOWNTIME_MS);
  await plans.settle();
  const recoveredAt = clock.now();
  const atRecovery = await loadAll(store);

  // The second executor knows only the store.
  const second = new Executor(settings);
  const handles = await second.recover();
  clock.release();
  await Promise.allSettled(handles.map((handle) => handle.result()));
  await allDone;
  await Promise.all([second.close(), desk.close()]);

  const states = await loadAll(store);
  const { workflowId: orderId, name: activity, attempt } = call;
  const orders = entries.map(({ order }): OrderStory => {
    const { id } = order;
    const stateAtStop = atStop.get(id)!;
    const before = stateAtStop.history.length;
    const inFlight = id === orderId ? ` while ${activity}, attempt ${attempt}, was in flight` : "";
    const marks: TimelineMark[] = [
      { after: before, at: stoppedAt, text: `executor stopped${inFlight}` },
      { after: atRecovery.get(id)!.history.length, at: recoveredAt, text: "recovered by a new executor" },
    ];
    return {
      order,
      state: states.get(id)!,
      stateAtStop,
      runs: shop.runsOf(id),
      runsAtStop: runsAtStop.get(id)!,
      marks: stateAtStop.status === "running" ? marks : [],
      notes: notes.get(id)!,
    };
  });
  const recovered = handles.map(({ id }) => id);
  return {
    orders,
    stop: { afterMs: stoppedAt - startAt, orderId, activity, attempt, recovered },
    tookMs: clock.now() - startAt,
    shop,
    store,
    clock,
  };
}

/** What the outside world will do, and when. No time passes while it acts. */
class Plans {
  readonly #clock: VirtualClock;
  readonly #plans: Promise<unknown>[] = [];
  readonly #begun: Promise<unknown>[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    clock.hold();
  }

  add(dueAt: number, act: () => Promise<unknown>): void {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#plans.push(promise);
    this.#clock.setTimer(dueAt, () => {
      this.#clock.hold();
      const acting = act().finally(() => this.#clock.release());
      this.#begun.push(acting);
      resolve(acting);
    });
  }

  /** Lets time pass. Resolves when everything is done. */
  async begin(): Promise<undefined> {
    this.#clock.release();
    await Promise.all(this.#plans);
  }

  /** Resolves when all actions that have begun are done. */
  async settle(): Promise<void> {
    await Promise.all(this.#begun);
  }
}

/** Acts on a workflow. If it has ended, the action has no effect and becomes a note. */
async function noteIfLate(notes: string[], act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof WorkflowError && error.code === "not_found")) throw error;
    notes.push(error.message);
  }
}

type ActivityCall = Extract<MiddlewareCall, { kind: "activity" }>;

/**
 * Finds the moment to stop: the card of the last order was charged, or finally declined, and the activity is about to report that.
 * The report never arrives.
 */
function stopInCharge({ order, script }: ScriptedOrder): {
  readonly reached: Promise<ActivityCall>;
  readonly middleware: Middleware;
} {
  const { failures, declined } = script.card;
  const attempt = declined === undefined ? Math.min(failures + 1, STEP_ATTEMPTS) : 1;
  const { promise: reached, resolve } = Promise.withResolvers<ActivityCall>();
  const middleware: Middleware = async (call, next) => {
    try {
      return await next();
    } finally {
      if (
        call.kind === "activity" && call.workflowId === order.id && call.name === "chargeCard" &&
        call.attempt === attempt
      ) {
        resolve(call);
        await new Promise(() => {});
      }
    }
  };
  return { reached, middleware };
}

function findLast(entries: readonly ScriptedOrder[]): ScriptedOrder {
  return entries.reduce((last, entry) =>
    entry.script.placedAfterMinutes >= last.script.placedAfterMinutes ? entry : last
  );
}

async function loadAll(store: InMemoryStore): Promise<ReadonlyMap<string, WorkflowState>> {
  return new Map((await store.list()).map((state) => [state.workflowId, state]));
}
