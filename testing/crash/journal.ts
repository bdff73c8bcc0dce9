/**
 * A record of all events that were stored in a simulated world, also of runs that were replaced since.
 *
 * The processes of the world report what they append, and what they read: somebody else can write to the store as well, such as
 * an activity that sends a signal through an executor of its own.
 *
 * @module
 */

import type { AppendBatch, WorkflowEvent, WorkflowState, WorkflowTail } from "../../types.ts";
import { applyBatch } from "../../history/history.ts";
import { show } from "../../util/show.ts";
import { PastStates } from "../past_states.ts";

/** The events of one run. */
export interface JournalRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly events: WorkflowEvent[];
}

/** Which event of a workflow is meant. */
export interface EventPlace {
  readonly workflowId: string;
  readonly runId: string;
  /** The position in the history of the run, counted from 1. */
  readonly number: number;
  /** The event in words. */
  readonly event: string;
}

export class Journal {
  /** All runs in the order in which they began. */
  readonly runs: JournalRun[] = [];
  /** For reads that do not show the last writes. */
  readonly past: PastStates = new PastStates();
  readonly #byId = new Map<string, JournalRun>();
  readonly #latest = new Map<string, JournalRun>();
  readonly #begun = new Map<string, number>();
  /** Idempotency keys of the activities whose outcome is stored. */
  readonly #ended = new Set<string>();

  /** Records a batch that was appended. */
  add(batch: AppendBatch): void {
    const { workflowId, runId, expectedLength, events } = batch;
    this.past.add(batch);
    this.#note(workflowId, runId, events, events[0].type === "workflow_started" ? 0 : expectedLength);
  }

  /** Records what a read shows and nobody has reported. */
  learn(state: WorkflowState | null): void {
    if (Array.isArray(state?.history)) this.#note(state.workflowId, state.runId, state.history, 0);
  }

  /** Records what a read of the end of a history shows and nobody has reported. */
  learnTail(tail: WorkflowTail | null): void {
    if (!Array.isArray(tail?.events)) return;
    const { workflowId, runId, historyLength } = tail.head;
    const from = historyLength - tail.events.length;
    const known = this.#byId.get(JSON.stringify([workflowId, runId]))?.events.length ?? 0;
    if (from <= known) this.#note(workflowId, runId, tail.events, from);
  }

  /** @param from The position of the first event. */
  #note(workflowId: string, runId: string, events: readonly WorkflowEvent[], from: number): void {
    const id = JSON.stringify([workflowId, runId]);
    let run = this.#byId.get(id);
    if (run === undefined) {
      if (events[0]?.type !== "workflow_started") return; // nothing that an executor has stored
      run = { workflowId, runId, events: [] };
      this.runs.push(run);
      this.#byId.set(id, run);
      this.#latest.set(workflowId, run);
      this.#begun.set(workflowId, this.begun(workflowId) + 1);
    }
    for (const event of events.slice(Math.max(0, run.events.length - from))) {
      run.events.push(event);
      if (event.type === "activity_completed" || event.type === "activity_failed") {
        this.#ended.add(`${runId}:${event.seq}`);
      }
    }
  }

  /** The newest run of a workflow. */
  latest(workflowId: string): JournalRun | undefined {
    return this.#latest.get(workflowId);
  }

  /** How many runs of a workflow have begun. */
  begun(workflowId: string): number {
    return this.#begun.get(workflowId) ?? 0;
  }

  /** Whether the outcome of an activity is stored. */
  hasEnded(idempotencyKey: string): boolean {
    return this.#ended.has(idempotencyKey);
  }

  /** Describes the first or the last event of a batch that is not stored yet. */
  place({ workflowId, runId, events }: AppendBatch, which: "first" | "last"): EventPlace {
    const history = events[0].type === "workflow_started" ? [] : this.latest(workflowId)?.events ?? [];
    const index = which === "first" ? 0 : events.length - 1;
    const event = describeEvent(events[index], [...history, ...events]);
    return { workflowId, runId, number: history.length + index + 1, event };
  }

  /** The events of all runs of a workflow. */
  eventsOf(workflowId: string): WorkflowEvent[] {
    return this.runs.flatMap((run) => run.workflowId === workflowId ? run.events : []);
  }

  /** The last stored state of each run. */
  states(): WorkflowState[] {
    return this.runs.map(({ events, ...run }) => applyBatch(null, { ...run, expectedLength: 0, events }));
  }
}

/** Describes an event by its type and the name of its subject: `activity_completed "charge"`. */
export function describeEvent(event: WorkflowEvent, history: readonly WorkflowEvent[]): string {
  const { type } = event;
  if ("name" in event) return `${type} ${show(event.name)}`;
  if (type === "patched") return `${type} ${show(event.changeId)}`;
  if (type === "workflow_started") return `${type} ${show(event.workflowName)}`;
  if (!("seq" in event)) return type;
  const command = history.find((one) => "name" in one && "seq" in one && one.seq === event.seq);
  return command !== undefined && "name" in command ? `${type} ${show(command.name)}` : type;
}
