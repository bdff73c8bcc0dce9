/**
 * The messages that others send to a run: signals, updates, and requests to end it.
 *
 * Brings each into the history once, answers updates, and knows at the end what the code has not handled. Calling the handlers is
 * the part of the replay (`run/handlers.ts`), bringing messages to the right run that of `run/delivery_queue.ts`.
 *
 * 1. A message whose sender chose an ID is stored once, in all runs of a chain: `Remembered` knows them.
 * 2. An update is validated when the code has seen everything that is stored, and by the executor that stores its acceptance or its
 *    rejection. A replay does not validate it again.
 * 3. What the code has not seen goes to the next run of the chain. An update whose handler has begun does not.
 * 4. The callers of an update without an answer know whether its handler may have begun: `update_interrupted`, or `not_found`.
 *
 * @module
 */

import { type WorkflowError, workflowError } from "../errors.ts";
import { callHook } from "../hooks.ts";
import type {
  SignalReceivedEvent,
  UpdateAcceptedEvent,
  UpdateRequestedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
} from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { writeLog } from "./context.ts";
import type { RunEnvironment } from "./environment.ts";
import {
  type Answer,
  answerOf,
  failedEvent,
  isAnswer,
  unsureSignal,
  updateEvent,
  type UpdateRequest,
} from "./events.ts";
import type { LiveRun } from "./live_run.ts";
import { isRemembered, Remembered } from "./remembered.ts";
import type { Replay } from "./replay.ts";
import { isElsewhere } from "./retrying_store.ts";
import type { Writer } from "./writer.ts";

/** The run that gets the messages. */
export interface Receiver extends LiveRun {
  readonly environment: RunEnvironment;
  readonly started: WorkflowStartedEvent;
  /** Whether the run has not left. */
  readonly live: boolean;
  /** Resolves when the code has seen everything that this executor knows to be stored. */
  settled(): Promise<void>;
  /** The delivered events that workflow code has not seen, in order. */
  unseen(): WorkflowEvent[];
  /** The run may have become idle. */
  reportIdle(): void;
}

/** The code that gets the messages, and what records its decisions. */
export interface Recorder {
  readonly replay: Replay;
  /** Whether the history has room for an event; if not, the run fails. */
  fits(event: WorkflowEvent): boolean;
  /** Brings an event into the store. */
  record(event: WorkflowEvent): void;
}

/** Why a run that was continued answers nothing. */
export const continued = "it was continued as new";

/**
 * The error for the callers of an update that has no answer.
 *
 * @param why Why there will be none.
 * @param isAccepted Whether the history holds its acceptance: then its handler may have begun.
 */
export function unanswered(id: string, why: string, isAccepted: boolean, options?: ErrorOptions): WorkflowError {
  const code = isAccepted ? "update_interrupted" : "not_found";
  if (isAccepted) why += " before it had answered, and the handler may have begun";
  return workflowError(code, "update workflow", id, why, options);
}

const none: readonly never[] = [];

/** How many messages there are of each name. */
function countNames(messages: readonly { readonly name: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { name } of messages) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

export class Inbox {
  readonly #run: Receiver;
  readonly #recorder: Recorder;
  readonly #replay: Replay;
  readonly #writer: Writer;
  /** Whether the history holds a signal or an update. */
  #gotMessages = false;
  /** Updates that other executors ask for, and that were not looked at. */
  #requests: UpdateRequestedEvent[] | undefined;

  constructor(run: Receiver, recorder: Recorder, writer: Writer) {
    this.#run = run;
    this.#recorder = recorder;
    this.#replay = recorder.replay;
    this.#writer = writer;
  }

  /** The messages whose sender chose an ID: those of this run, and those that are remembered of earlier ones. */
  get #remembered(): Remembered {
    const { chain, started } = this.#run;
    return chain.remembered ??= new Remembered(started.remembered);
  }

  /** Notes a message, or the answer to one, that is in the history now. */
  note(event: WorkflowEvent, isOurs: boolean): void {
    if (isAnswer(event)) {
      if (isRemembered(event.updateId)) this.#remembered.answers.set(event.updateId, event);
      return;
    }
    this.#gotMessages = true;
    if (event.type === "update_requested") (this.#requests ??= []).push(event);
    else if (event.type === "signal_received" && !isOurs && isRemembered(event.signalId)) {
      this.#remembered.signals.set(event.signalId, true); // `post` notes ours
    }
  }

  /** A signal that is stored, or on its way into the store, is not stored again: it has the outcome of the first. */
  post(event: WorkflowEvent, once = false): Promise<boolean> {
    const run = this.#run;
    const id = once ? (event as SignalReceivedEvent).signalId : undefined;
    const sent = id && this.#remembered.signals.get(id);
    if (sent) return Promise.resolve(sent);
    if (!run.acceptsEvents || !this.#recorder.fits(event)) return Promise.resolve(false);
    const posted = new Deferred<boolean>();
    this.#writer.post(event, (stored) => {
      if (id && stored) this.#remembered.signals.set(id, true);
      else if (id) this.#remembered.signals.delete(id);
      if (stored || run.status !== "running" || run.chain.latest !== run) return posted.resolve(stored === true);
      try {
        run.result(); // throws the error that suspended the run
        posted.resolve(false); // it begins again
      } catch (error) {
        // Another executor has continued the run. The event can go to the next run, unless it is a signal that may be stored
        // and read already, and the next run does not remember it.
        if (!isElsewhere(error)) posted.reject(error);
        else if (stored === false || id || event.type !== "signal_received") posted.resolve(false);
        else posted.reject(unsureSignal(run.workflowId));
      }
    });
    if (id) this.#remembered.signals.set(id, posted.promise);
    return posted.promise;
  }

  /** See `LiveRun.update()`. */
  async update(request: UpdateRequest, signal?: AbortSignal): Promise<Answer> {
    const run = this.#run;
    const { updateId, name, input } = request;
    const { handlers } = this.#replay;
    if (isRemembered(updateId)) {
      const answer = this.#remembered.answers.get(updateId);
      if (answer !== undefined) return { value: answerOf(answer) };
    }
    for (;;) {
      // An accepted update is awaited at once: later the run may have continued as new, and the next run would accept it again.
      const isKnown = () => handlers.answer(updateId) !== undefined;
      if (!handlers.isAccepted(updateId) && !isKnown()) await abortable(run.settled(), signal);
      if (isKnown()) break;
      if (!run.acceptsEvents || this.#replay.ended) {
        const error = run.live || handlers.hasUpdate(name)
          ? undefined
          : this.unanswered(handlers.without(name), false, updateId);
        if (error !== undefined) throw error;
        return undefined;
      }
      if (handlers.isAccepted(updateId)) break;
      if (handlers.hasUpdate(name)) {
        const { clock } = run.environment.timing;
        try {
          handlers.validate(name, input);
        } catch (error) {
          if (handlers.open(updateId) === undefined) throw error;
          handlers.expect(updateId);
          this.#recorder.record(failedEvent(updateId, error, clock.now(), "update_rejected")); // who asked for it reads it from the store
          break;
        }
        const accepted = updateEvent("update_accepted", request, clock.now()) as UpdateAcceptedEvent;
        handlers.expect(updateId, accepted);
        if (await this.post(accepted)) break;
        return undefined;
      }
      await handlers.registration(name, signal).finally(() => run.reportIdle());
    }
    return await abortable(handlers.expect(updateId), signal);
  }

  /** Accepts or rejects the updates that other executors ask for, each once it has a handler. */
  serve(): void {
    const requests = this.#requests ?? none;
    this.#requests = undefined;
    for (const request of requests) {
      if (this.#replay.handlers.open(request.updateId) === request) quiet(this.update(request)); // the store has the outcome
    }
  }

  /**
   * What the next run of the chain gets. It does not accept again an update whose handler has begun: that is over.
   *
   * @param keepsCancellation Whether it gets the cancellation that this run has seen.
   */
  toNextRun(at: number, keepsCancellation = true): WorkflowEvent[] {
    const { cancellation, uncalledUpdates } = this.#replay;
    // Its turn may not have come, although the run began cancelled.
    const delivered = this.#run.unseen().filter((event) => event !== cancellation);
    if (cancellation && keepsCancellation) delivered.unshift(cancellation);
    for (const update of this.#unhandledUpdates(delivered)) {
      const { type, updateId } = update;
      if (type === "update_requested" || uncalledUpdates.includes(update)) delivered.push(update);
      else if (isRemembered(updateId)) {
        const error = unanswered(this.#run.workflowId, continued, true);
        this.#remembered.answers.set(updateId, failedEvent(updateId, error, at));
      }
    }
    return delivered;
  }

  /** The updates without an answer that the next run does not handle. */
  #unhandledUpdates(next: readonly WorkflowEvent[] = none): (UpdateAcceptedEvent | UpdateRequestedEvent)[] {
    return this.#replay.openUpdates.filter(({ updateId }) =>
      !next.some((event) => "updateId" in event && event.updateId === updateId)
    );
  }

  /**
   * Tells the hook and the log which messages the run has not handled.
   *
   * @param next The first events of the next run, which handles the others; absent if there is none.
   */
  reportUnhandled(next?: readonly WorkflowEvent[]): void {
    if (!this.#gotMessages) return;
    const run = this.#run;
    const refused = next === undefined ? this.#replay.uncalledUpdates : none;
    const updates = [...refused, ...this.#unhandledUpdates(next)];
    const signals = next === undefined ? run.unseen().filter((event) => event.type === "signal_received") : none;
    if (signals.length + updates.length === 0) return;
    callHook(run.environment.runs, "messagesUnhandled", Object.freeze({ signals, updates }), run, run.started);
    const fields = { signals: countNames(signals), updates: countNames(updates) };
    const message = `Workflow ${show(run.workflowId)} has ended with unhandled messages`;
    writeLog(run.environment.context, "warn", run, message, fields);
  }

  /**
   * The error for the callers of an update that has no answer; `undefined` if they look for the run that takes the update.
   *
   * @param isAccepted Whether the history holds its acceptance: no other run may accept it then, unless the chain remembers its ID.
   */
  unanswered(why: string, isAccepted: boolean, updateId: string): unknown {
    const run = this.#run;
    let options: ErrorOptions | undefined;
    if (run.chain.latest !== run) {
      if (!isAccepted) return undefined;
    } else {
      try {
        run.result();
      } catch (cause) {
        if (run.status !== "running") options = { cause };
        else if (!isElsewhere(cause)) return cause;
        else if (!isAccepted || isRemembered(updateId)) return undefined; // another executor has the run, or has continued it
        else {
          why = "another executor runs it or has continued it";
          options = { cause };
        }
      }
    }
    return unanswered(run.workflowId, why, isAccepted, options);
  }
}
