/**
 * What comes from outside, made ready to be done: how, and how to tell that it is stored already.
 *
 * @module
 */

import type { WorkflowEvent } from "../../types.ts";
import type { Journal } from "./journal.ts";
import type { Scene } from "./world.ts";
import type { TimedDelivery } from "./deliveries.ts";
import type { SimulatedProcess } from "./simulated_process.ts";
import { textOf } from "./report.ts";

/** Something that comes from outside. */
export interface Delivery {
  readonly name: string;
  readonly atMs: number;
  /** Does it; answers when it is done. */
  readonly pay: (proc: SimulatedProcess) => Promise<unknown>;
  /** Whether it is stored, as far as the journal tells. */
  readonly stored: (journal: Journal) => boolean;
  /** Whether an error says only that it came too late, or was not welcome. */
  readonly late: (error: unknown) => boolean;
  readonly workflowId: string;
  state: "planned" | "due" | "under way" | "done";
  /** Whether it was under way before, in a process that has died since. */
  tried: boolean;
}

/** What a check of the test's own has thrown. */
export class CheckError extends Error {}

function check(look: () => void): void {
  try {
    look();
  } catch (cause) {
    throw new CheckError("check", { cause });
  }
}

/** Everything that comes from outside. */
export function deliveriesOf({ id, outside }: Scene): Delivery[] {
  const { signals = [], updates = [], queries = [], cancel } = outside;
  const never = () => false;
  const late = (error: unknown) => (error as { code?: unknown }).code === "not_found";
  const visit = (name: string, timed: TimedDelivery, rest: Pick<Delivery, "pay" | "stored" | "late">): Delivery => {
    return { name, atMs: timed.atMs, workflowId: timed.workflowId ?? id, state: "planned", tried: false, ...rest };
  };
  const nameOf = (definition: string | { readonly name: string }) =>
    typeof definition === "string" ? definition : definition.name;
  const sent = signals.map((signal, i) => {
    const { workflowId = id, name, payload, senderId } = signal;
    const text = textOf([nameOf(name), payload, senderId]);
    const one: Delivery & { readonly text: string } = {
      text,
      ...visit(`signal ${nameOf(name)} #${i}`, signal, {
        late,
        pay: ({ executor }) => executor.signal(workflowId, { name: nameOf(name), payload, senderId }),
        stored(journal) {
          const ids = journal.eventsOf(workflowId).flatMap((event) =>
            event.type === "signal_received" && textOf([event.name, event.payload, event.senderId]) === text
              ? [event.signalId]
              : []
          );
          const others = sent.filter((other) =>
            other.text === text && other.workflowId === workflowId && other.state === "done"
          );
          return new Set(ids).size > others.length;
        },
      }),
    };
    return one;
  });
  return [
    ...sent,
    ...updates.map((update, i) => {
      const { workflowId = id, name, input, check: checkAnswer } = update;
      const updateId = `update-${i}`;
      return visit(`update ${nameOf(name)} #${i}`, update, {
        late: () => checkAnswer === undefined, // refused or failed: the history tells, and the workflow goes on
        async pay({ executor }) {
          const answer = await executor.update(workflowId, name as string, input, { updateId });
          check(() => checkAnswer?.(answer as never));
        },
        stored(journal) {
          const isAnswer = (event: WorkflowEvent) => event.type === "update_completed" && event.updateId === updateId;
          if (journal.latest(workflowId)?.events.some(isAnswer)) return false; // asked again, it is answered again
          return journal.eventsOf(workflowId).some(isAnswer); // by a run that others have replaced
        },
      });
    }),
    ...queries.map((query, i) => {
      const { workflowId = id, name, args = [], check: checkAnswer } = query;
      return visit(`query ${nameOf(name)} #${i}`, query, {
        late: never,
        async pay({ executor }) {
          const answer = await executor.query(workflowId, name as string, ...args);
          check(() => checkAnswer(answer as never));
        },
        stored: never,
      });
    }),
    ...(cancel === undefined ? [] : [visit("cancel", cancel, {
      late,
      pay: ({ executor }) => executor.cancel(cancel.workflowId ?? id, cancel.reason),
      stored: (journal) =>
        journal.eventsOf(cancel.workflowId ?? id).some((event) =>
          event.type === "cancel_requested" && event.timeoutMs === undefined
        ),
    })]),
  ];
}
