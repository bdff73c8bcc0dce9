/**
 * What the code of a run decides, as events: its commands and answers, its end, and the start of the next run of the chain.
 *
 * Holds the code, in a `Replay`, and performs its commands through a `Dispatcher`.
 *
 * 1. What does not fit into the history is not recorded: the run fails. There is always room for its end and a cancellation.
 * 2. The run ends when its code has ended, its messages are sent, and every child that outlives it is stored.
 * 3. A run ends once. What its code decides after that is dropped.
 *
 * @module
 */

import { type NonDeterminismError, WorkflowError } from "../errors.ts";
import type { WorkflowEvent, WorkflowStartedEvent } from "../types.ts";
import type { Workflow } from "../context.ts";
import { noTexts } from "../util/check.ts";
import { show } from "../util/show.ts";
import { ChildCommand } from "./child.ts";
import type { Command } from "./command.ts";
import { Dispatcher, type DispatchingRun } from "./dispatcher.ts";
import { answerEvent, failedEvent, finalEvent, type Outcome } from "./events.ts";
import { type Inbox, unanswered } from "./inbox.ts";
import { type Continuation, type Ending, Replay, type ReplayOwner } from "./replay.ts";
import type { Writer } from "./writer.ts";

/** The run whose code decides. */
export interface DecidingRun extends DispatchingRun {
  readonly inbox: Inbox;
  /** The last event is on its way into the store. */
  close(): void;
  /** The first events of the next run are on their way into the store. */
  continueAs(runId: string): void;
  /**
   * The next run is stored.
   *
   * @param workflow Its code; `undefined` for the same.
   */
  continuedAs(runId: string, events: readonly WorkflowEvent[], workflow: Workflow<never> | undefined): void;
}

/** How the workflow function ended: the last event, or the next run. */
type LastDecision = { readonly final: WorkflowEvent } | Continuation;

/** When the time of a chain is up. */
export function deadlineOf({ at, startAt = at, timeoutMs, deadlineAt }: WorkflowStartedEvent): number | undefined {
  return deadlineAt ?? (timeoutMs === undefined ? undefined : startAt + timeoutMs);
}

export class Decisions implements ReplayOwner {
  readonly #run: DecidingRun;
  readonly #writer: Writer;
  /** The code. */
  declare readonly replay: Replay;
  /** Performs its commands. */
  declare readonly dispatcher: Dispatcher;
  /** Set once the workflow function has ended. */
  #ending: LastDecision | undefined;

  constructor(run: DecidingRun, writer: Writer) {
    this.#run = run;
    this.#writer = writer;
    this.replay = new Replay(run.workflowId, this);
    this.dispatcher = new Dispatcher(run, this.replay, writer);
  }

  get #now(): number {
    return this.#run.environment.timing.clock.now();
  }

  /** Brings an event into the store, unless the run takes no further events or its history is full. */
  record(event: WorkflowEvent): void {
    if (this.#run.acceptsEvents && this.fits(event)) this.#writer.record(event);
  }

  /** Whether the history has room for an event; if not, the run fails. */
  fits({ type }: WorkflowEvent): boolean {
    const { maxHistoryEvents } = this.#run.environment.runs;
    if (maxHistoryEvents === undefined || this.#writer.length < maxHistoryEvents) return true;
    if (type === "cancel_requested" || type.startsWith("workflow_")) return true;
    const message = `Workflow ${show(this.#run.workflowId)} needs more than ${maxHistoryEvents} events, ` +
      'the "maxHistoryEvents" of its executor: continue it with a new history by ctx.continueAsNew() before that';
    const error = new WorkflowError("history_too_long", message);
    const final = finalEvent({ ok: false, error }, undefined, this.#now);
    if (this.#ending === undefined || "continueWith" in this.#ending) this.#end({ final });
    if (!this.replay.replaying) {
      this.replay.stop();
      this.#close((this.#ending as { final: WorkflowEvent }).final);
    }
    return false;
  }

  issued(command: Command): void {
    const at = this.#now;
    // A sleep that an earlier process issued and did not store counts from its call.
    const from = this.replay.replaying ? Math.min(this.replay.now, at) : at;
    this.record(Object.freeze(command.toEvent(at, from, this.#run.started.maxPayloadBytes)));
  }

  withdrawn(command: Command): void {
    this.dispatcher.withdrawn(command);
  }

  awaited(command: Command): void {
    this.dispatcher.awaited(command);
  }

  answered(updateId: string, outcome: Outcome): void {
    this.record(answerEvent(updateId, outcome, this.#now, this.#run.started.maxPayloadBytes));
  }

  patched(changeId: string): void {
    this.record(Object.freeze({ type: "patched", at: this.#now, changeId }));
  }

  diverged(error: NonDeterminismError): void {
    const { chain, environment } = this.#run;
    // A run that resumes by itself has no caller who would see the error.
    if (chain.wasDormant && this.replay.replaying) environment.runs.report(error);
    this.#run.suspend(error);
  }

  codeEnded(ending: Ending): void {
    if (this.#ending === undefined) {
      this.#end("continueWith" in ending ? ending : { final: finalEvent(ending, this.replay.canceled, this.#now) });
    }
    this.conclude();
  }

  #end(ending: LastDecision): void {
    this.#ending = ending;
    this.dispatcher.codeHasEnded = true;
  }

  /** Whether the code has dealt with the cancellation that it has seen: a further one is for the next run. */
  get hasDealtWithCancellation(): boolean {
    const ending = this.#ending;
    return ending !== undefined && "continueWith" in ending && ending.canceled === false &&
      this.replay.cancellation !== undefined;
  }

  /** Ends the run if its code has ended, and everything that has to be stored before is stored. */
  conclude(): void {
    const run = this.#run;
    if (this.#ending === undefined || this.replay.replaying || !run.acceptsEvents) return;
    // Its turn ends first: a chain of runs that continue at once would not yield to the event loop, and would stay in memory.
    if ("continueWith" in this.#ending && this.replay.inTurn) return;
    for (const command of this.replay.commands.values()) {
      if (command.outlivesRun && !(command instanceof ChildCommand && command.ready)) return;
    }
    if ("final" in this.#ending) return this.#close(this.#ending.final);
    const next = this.#ending;
    const { runs } = run.environment;
    let runId: string;
    try {
      runId = runs.newRunId(run.workflowId);
    } catch (error) {
      runs.report(error); // a run that continues as new may have no caller who would see it
      return run.suspend(error);
    }
    this.#writer.succeed(runId, () => this.#successor(next), (events) => run.continuedAs(runId, events, next.workflow));
    run.continueAs(runId);
  }

  #close(final: WorkflowEvent): void {
    for (const { updateId } of this.replay.uncalledUpdates) {
      const error = unanswered(this.#run.workflowId, "it ended before a handler began", false);
      this.#writer.record(failedEvent(updateId, error, final.at)); // its callers know that nothing was changed
    }
    this.record(final);
    this.#run.close();
  }

  /** The first events of the next run: its start, and the delivered events that this run has not seen. */
  #successor({ continueWith: input, workflow, canceled }: Continuation): WorkflowEvent[] {
    const { started: last, chain, environment, inbox } = this.#run;
    const at = Math.max(this.#now, this.replay.now); // the clock may have been set back
    const delivered = inbox.toNextRun(at, canceled);
    const {
      startAt: _1,
      workflowVersion: _2,
      maxPayloadBytes: _3,
      remembered: _4,
      canceled: _5,
      startEvents: _6,
      ...first
    } = last;
    const remembered = chain.remembered === undefined ? last.remembered : chain.remembered.toMessages();
    const started: WorkflowStartedEvent = {
      ...first,
      ...environment.runs.stamp,
      ...(workflow && { workflowName: environment.context.nameOf(workflow) }),
      at,
      input,
      firstRunId: chain.firstRunId,
      ...(first.timeoutMs === undefined ? {} : { deadlineAt: deadlineOf(last)! }),
      ...(delivered.some(({ type }) => type === "cancel_requested") && { canceled: true }),
      ...(remembered === undefined ? {} : { remembered }),
      ...(delivered.length > 0 && { startEvents: 1 + delivered.length }),
      ...(this.replay.labels !== noTexts && { labels: this.replay.labels }),
    };
    return [Object.freeze(started), ...delivered];
  }
}
