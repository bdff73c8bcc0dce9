/**
 * Deliveries to the workflows of a simulated world: signals, updates, queries and a cancellation, each at its time.
 *
 * 1. A delivery whose process dies before it got an answer is made again, unless the journal shows that it was stored. So is one
 *    whose answer the store has lost, if nobody can know whether it is stored.
 * 2. A signal or a cancellation that finds its workflow finished or unknown is dropped without an error.
 *
 * @module
 */

import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../../definitions.ts";
import { codeOf } from "../../errors.ts";
import type { Executor } from "../../executor.ts";
import type { CallHeaders, WorkflowEvent } from "../../types.ts";
import { checkNumber, checkObject, checkOptions, invalid } from "../../util/check.ts";
import { isStrayPromise } from "../../util/deferred.ts";
import { show } from "../../util/show.ts";
import { equals } from "../assert.ts";
import type { Journal } from "./journal.ts";

/**
 * When something is delivered, and to which workflow.
 *
 * @category Testing
 */
export interface TimedDelivery {
  /** Milliseconds after the start, from 0. */
  readonly atMs: number;
  /**
   * The ID of the workflow.
   *
   * @default {the workflow under test}
   */
  readonly id?: string | undefined;
}

/**
 * A signal to deliver.
 *
 * @category Testing
 */
// deno-lint-ignore no-explicit-any -- a signal of any payload
export interface TimedSignal<Payload = any> extends TimedDelivery {
  /** The signal's name or definition. */
  readonly name: string | SignalDefinition<Payload>;
  /** The payload: of the definition's type, or anything with a plain name. */
  readonly payload?: NoInfer<Payload> | undefined;
  /** The ID of the sender. */
  readonly senderId?: string | undefined;
  /** The ID of the signal, as the option `signalId` of `Executor.signal`. */
  readonly signalId?: string | undefined;
  /** The headers of the signal, as the option `headers` of `Executor.signal`. */
  readonly headers?: CallHeaders | undefined;
}

/**
 * An update to deliver.
 *
 * @category Testing
 */
export interface TimedUpdate extends TimedDelivery {
  /** The update's name or definition. */
  readonly name: string | UpdateDefinition<unknown, never>;
  /** The input of the handler. */
  readonly input?: unknown;
  /**
   * The ID of the update, as the option `updateId` of `Executor.update`. Of two updates with the same ID, the handler runs once,
   * and both get its answer.
   *
   * @default {an ID of its own}
   */
  readonly updateId?: string | undefined;
  /** The headers of the update, as the option `headers` of `Executor.update`. */
  readonly headers?: CallHeaders | undefined;
  /** Called with the answer; throws if it is wrong, and returns no promise. With it, an update that is refused or fails is an error of the test. */
  readonly check?: ((answer: never) => void) | undefined;
}

/**
 * A query to ask.
 *
 * @category Testing
 */
export interface TimedQuery extends TimedDelivery {
  /** The query's name or definition. */
  readonly name: string | QueryDefinition<unknown, never>;
  /** The arguments of the handler. */
  readonly args?: readonly unknown[] | undefined;
  /** Called with the answer; throws if it is wrong, and returns no promise. */
  readonly check: (answer: never) => void;
}

/**
 * A cancellation to deliver.
 *
 * @category Testing
 */
export interface TimedCancel extends TimedDelivery {
  /** The reason of the cancellation. */
  readonly reason?: string | undefined;
}

/**
 * What is delivered while a workflow runs. `Signals` are the types of the signals' payloads, one by one.
 *
 * @category Testing
 */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface Deliveries<Signals extends readonly unknown[] = readonly any[]> {
  /**
   * Signals. A signal to a workflow that has finished is dropped.
   *
   * @default {none}
   */
  readonly signals?: readonly [...{ [Key in keyof Signals]: TimedSignal<Signals[Key]> }] | undefined;
  /**
   * Updates.
   *
   * @default {none}
   */
  readonly updates?: readonly TimedUpdate[] | undefined;
  /**
   * Queries.
   *
   * @default {none}
   */
  readonly queries?: readonly TimedQuery[] | undefined;
  /**
   * A cancellation.
   *
   * @default {none}
   */
  readonly cancel?: TimedCancel | undefined;
}

/** The names of the options in {@linkcode Deliveries}. */
export const deliveryNames: Readonly<Record<keyof Deliveries, true>> = {
  signals: true,
  updates: true,
  queries: true,
  cancel: true,
};

/** The names of what each kind of delivery can have. */
const names = {
  signal: { atMs: true, id: true, name: true, payload: true, senderId: true, signalId: true, headers: true },
  update: { atMs: true, id: true, name: true, input: true, updateId: true, headers: true, check: true },
  query: { atMs: true, id: true, name: true, args: true, check: true },
  cancel: { atMs: true, id: true, reason: true },
} as const;

/** One delivery, and how far it is. */
export interface Delivery {
  /** Such as `signal approval #0`. */
  readonly name: string;
  readonly atMs: number;
  phase: "planned" | "due" | "in flight" | "done";
  /** Whether it was in flight before, in a process that died. */
  wasTried: boolean;
  /** Makes the delivery; settles when it got its answer. */
  readonly send: (executor: Executor) => Promise<unknown>;
  /** Whether a delivery that was tried before is stored, and must not be made again. */
  readonly isStored: (journal: Journal) => boolean;
  /** Whether an error only means that the delivery came too late or was refused, which a test may want. */
  readonly isHarmless: (error: unknown) => boolean;
}

/** Wraps what the `check` of an update or a query threw. */
export class CheckError extends Error {}

function runCheck(check: () => unknown, name: string): void {
  try {
    if (isStrayPromise(check())) {
      throw new TypeError(`The check of the ${name} returned a promise: nobody waits for it, so check without one`);
    }
  } catch (cause) {
    throw new CheckError("check", { cause });
  }
}

/**
 * Prepares all deliveries of a world.
 *
 * @param id The ID of the workflow under test.
 * @param named Whether each signal gets an ID of its own, so that it can be sent again although an earlier sender still waits.
 */
export function deliveriesOf(
  id: string,
  { signals = [], updates = [], queries = [], cancel }: Deliveries,
  named = false,
): Delivery[] {
  for (const [name, list] of Object.entries({ signals, updates, queries })) {
    if (!Array.isArray(list)) throw invalid(name, list, "an array", "deliver");
    for (const [i, one] of list.entries()) checkObject(`${name}[${i}]`, one, "deliver");
  }
  const never = () => false;
  const isLate = (error: unknown) => codeOf(error) === "not_found";
  const nameOf = (definition: string | { readonly name: string }) =>
    typeof definition === "string" ? definition : definition.name;
  const plan = (
    kind: keyof typeof names,
    label: string,
    delivery: TimedDelivery,
    methods: Pick<Delivery, "send" | "isStored" | "isHarmless">,
  ): Delivery => {
    const name = kind + label;
    const { atMs } = delivery;
    checkOptions(delivery, names[kind], "deliver", name, kind);
    checkNumber("atMs", atMs, 0, "deliver", name);
    return { name, atMs, phase: "planned", wasTried: false, ...methods };
  };

  const sent: { readonly workflowId: string; readonly content: readonly unknown[]; readonly delivery: Delivery }[] = [];
  signals.forEach((signal, i) => {
    const { id: workflowId = id, payload, senderId, signalId = named ? `signal-${i}` : undefined, headers } = signal;
    const name = nameOf(signal.name);
    const content = [name, payload, senderId];
    const isStored = (journal: Journal) => {
      if (signalId !== undefined) return false; // sent again, it is stored once
      const ids = journal.eventsOf(workflowId).flatMap((event) =>
        event.type === "signal_received" && equals([event.name, event.payload, event.senderId], content)
          ? [event.signalId]
          : []
      );
      const others = sent.filter((other) =>
        other.delivery.phase === "done" && other.workflowId === workflowId && equals(other.content, content)
      );
      return new Set(ids).size > others.length;
    };
    const send = (executor: Executor) => executor.signal(workflowId, name, payload, { senderId, signalId, headers });
    const delivery = plan("signal", ` ${name} #${i}`, signal, { send, isStored, isHarmless: isLate });
    sent.push({ workflowId, content, delivery });
  });

  const asked = updates.map((update, i) => {
    const { id: workflowId = id, name, input, updateId = `update-${i}`, headers, check } = update;
    return plan("update", ` ${nameOf(name)} #${i}`, update, {
      async send(executor) {
        const answer = await executor.update(workflowId, name as string, input, { updateId, headers });
        runCheck(() => check?.(answer as never), `update ${show(nameOf(name))}`);
      },
      isStored(journal) {
        const isAnswer = (event: WorkflowEvent) => event.type === "update_completed" && event.updateId === updateId;
        // An update that the current run has answered is sent again: it gets the same answer, for `check`.
        if (journal.latest(workflowId)?.events.some(isAnswer)) return false;
        return journal.eventsOf(workflowId).some(isAnswer); // by a run that was replaced since
      },
      isHarmless: () => check === undefined, // the history shows that it was refused or failed
    });
  });

  const queried = queries.map((query, i) => {
    const { id: workflowId = id, name, args = [], check } = query;
    return plan("query", ` ${nameOf(name)} #${i}`, query, {
      async send(executor) {
        const answer = await executor.query(workflowId, name as string, ...args);
        runCheck(() => check(answer as never), `query ${show(nameOf(name))}`);
      },
      isStored: never,
      isHarmless: never,
    });
  });

  const deliveries = [...sent.map(({ delivery }) => delivery), ...asked, ...queried];
  if (cancel === undefined) return deliveries;
  const { id: workflowId = id, reason } = cancel;
  return [
    ...deliveries,
    plan("cancel", "", cancel, {
      send: (executor) => executor.cancel(workflowId, reason),
      isStored: (journal) =>
        journal.eventsOf(workflowId).some((event) =>
          event.type === "cancel_requested" && event.timeoutMs === undefined
        ),
      isHarmless: isLate,
    }),
  ];
}
