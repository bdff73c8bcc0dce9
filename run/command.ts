/**
 * Commands: what workflow code asks for, and waits for. One class for each kind says what the events of that kind mean.
 *
 * The life of a command:
 *
 * | step | what happens | who calls |
 * | --- | --- | --- |
 * | issued | workflow code called the context; the command gets its position `seq` | `Commands.issue` |
 * | stored | the event that asks for it is in the history | `Commands.stored`; `stored()` and `progressed()` for each later event that reports progress |
 * | performed | the executor that stored it starts the work: a timer, an attempt, a child | `Dispatcher`, by `perform()` |
 * | settled | its outcome is in the history; what still runs for it here is stopped | `Commands.stored`, by `settle()` |
 * | seen | the turn of the outcome has come: the promise that workflow code holds settles | `Commands.apply`, by `seen()` |
 *
 * 1. Only `seen()` settles the promise with an outcome, live as in a replay. A cancellation may reject it before.
 * 2. Usually one executor performs a command: the one that stored it, or one that took over after a recovery. If two perform
 *    it, the first stored outcome counts.
 * 3. A command that is not performed here (a replay, another executor) holds no timer and no other resource.
 *
 * Activities and children have modules of their own. Timers, side effects, compensations and labels are here.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { CanceledError } from "../errors.ts";
import type { RunKey } from "../hooks.ts";
import type {
  CommandEvent,
  CompensationStartedEvent,
  Labels,
  LabelsChangedEvent,
  SideEffectEvent,
  TimerFiredEvent,
  TimerStartedEvent,
  WorkflowEvent,
  WorkflowStartedEvent,
} from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { fromErrorRecord, toErrorRecord } from "../history/error_record.ts";
import { handOut, toStored } from "../history/value.ts";
import type { Open, Scope } from "./scope.ts";
import type { Timer, Timers } from "./timers.ts";
import type { Turns } from "./turns.ts";
import type { Wait } from "../options.ts";

/** The context method that issued the command; errors show the line that called it. */
export type Caller = (...args: never[]) => unknown;

/** The time of an executor. */
export interface Timing {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
}

/** What a command uses of the run that performs it. */
export interface Performer extends RunKey {
  /** What the runs of its executor share. */
  readonly environment: { readonly timing: Timing };
  /** The first event of the run. */
  readonly started: WorkflowStartedEvent;
  /** Brings an event of the command into the store. */
  record(event: WorkflowEvent): void;
}

/** A command that was cancelled and whose outcome is still of interest. */
export interface Following {
  readonly reason: Error;
  /** The time of the event by which it was cancelled. */
  readonly at: number;
  /** Whether its outcome is not recorded before somebody waits for it. */
  held: boolean;
  /** Records the outcome that was held. */
  record: (() => void) | undefined;
  /** Whether this executor took it over while its outcome was held. */
  takenOver: boolean;
}

const settled = /* @__PURE__ */ new CanceledError("The outcome is in the history already");

/** A command whose outcome workflow code has not seen. */
export abstract class Command extends Deferred implements Open {
  /** The type of the event that asks for it. */
  abstract readonly type: CommandEvent["type"];
  /** The name in the history, for the kinds that have one. */
  declare readonly name: string | undefined;
  declare readonly caller: Caller;
  /** The position in the run, counted from 0; -1 before it is issued. */
  seq = -1;
  /** The scope that it was issued in, or that waits for its outcome. */
  scope!: Scope;
  /** Set when it was cancelled and its outcome is still of interest. */
  following: Following | undefined;
  /** The event that asks for it; `undefined` until it is stored. */
  event: CommandEvent | undefined;
  /** Whether that event was stored here, since the run is in memory. */
  ours = false;
  /** Whether the outcome is in the history, although workflow code has not seen it. */
  settled = false;

  constructor(caller: Caller, name?: string) {
    super();
    this.caller = caller;
    this.name = name;
  }

  /**
   * Makes the event that asks for the command.
   *
   * @param at The time of the event.
   * @param from When a sleep starts: earlier than `at` if an earlier process issued the command and could not store it.
   * @param maxBytes The largest payload.
   */
  abstract toEvent(at: number, from: number, maxBytes: number | undefined): CommandEvent;

  /** Whether a stored event asks for the same. */
  matches(event: CommandEvent): boolean {
    return event.type === this.type && ("name" in event ? event.name : undefined) === this.name;
  }

  /** Notes an event that reports progress: it is in the history now. */
  stored(_event: WorkflowEvent): void {}

  /**
   * Acts on an event that reports progress. All events that were found together are noted: the outcome may be among them.
   *
   * @param _ours Whether this executor stored the event.
   */
  progressed(_event: WorkflowEvent, _ours: boolean): void {}

  /** The outcome is in the history now. */
  settle(): void {
    this.settled = true;
    if (this.performed) this.stop(settled); // what still runs for it here has lost against another executor
  }

  /**
   * Whether it may be performed before it is stored, by an executor that owns the run: after a crash, its code asks for the same
   * again, at the same position. So what a replay asks for beyond the history may have begun before.
   */
  get deferrable(): boolean {
    return false;
  }

  /** The turn of an event of the command has come. */
  seen(_event: WorkflowEvent): void {}

  /** Whether this executor performs the command. */
  get performed(): boolean {
    return false;
  }

  /**
   * Starts the work. Called once the command is stored.
   *
   * @param _run The run that the command belongs to.
   * @param _again Whether an earlier process may have started the work.
   */
  perform(_run: Performer, _again: boolean): void {}

  /** This executor performs it, and from now on no other one does. */
  takeOver(): void {}

  /** Its scope was cancelled. */
  cancel(reason: Error): void {
    this.scope.owner.commands.cancel(this, reason);
  }

  /**
   * What becomes of it when its scope is cancelled: it is `withdrawn`; or `followed`, if a scope waits for its outcome; or it
   * is `kept`, and only the wait of the code ends.
   */
  get whenCanceled(): "withdrawn" | "followed" | "kept" {
    return "withdrawn";
  }

  /** It was cancelled and is followed: ends the work, and records how it ended. */
  cancelWork(): void {}

  /** Records how it ended, or keeps that until somebody waits for it. */
  protected recordEnd(record: () => void): void {
    if (this.following?.held) this.following.record = record;
    else record();
  }

  /** Somebody waits for the outcome from now on. */
  release(): void {
    const following = this.following!;
    following.held = false;
    if (!this.settled) following.record?.(); // else another executor was faster
    following.record = undefined;
  }

  /** Ends the work: nobody waits for the outcome here. */
  stop(_reason: unknown): void {}

  /** Starts nothing more, and resolves when what runs has ended and its outcome is recorded. */
  drain(): Promise<void> | undefined {
    return undefined;
  }

  /**
   * Until when nothing happens for the command: its run may become dormant until then. `Infinity`: it waits for a child;
   * `-Infinity`: something is in flight.
   */
  get wakesAt(): number {
    return -Infinity;
  }

  /** Whether the run ends only after it: a message, or the start of a child that continues after the run. */
  get outlivesRun(): boolean {
    return false;
  }

  /** What to show of it among the waits of its run. */
  wait(_now: number): Wait | undefined {
    return undefined;
  }
}

/** A sleep or a timeout. */
export class TimerCommand extends Command {
  readonly type = "timer_started";
  declare readonly delayMs: number;
  readonly #waitsFor: TimerStartedEvent["waitsFor"];
  #timers: Timers | undefined;
  #timer: Timer | undefined;

  /** @param waitsFor What it limits; `undefined` for a sleep. A replay does not compare it: older histories lack it. */
  constructor(caller: Caller, delayMs: number, waitsFor?: TimerStartedEvent["waitsFor"]) {
    super(caller);
    this.delayMs = delayMs;
    this.#waitsFor = waitsFor;
  }

  toEvent(at: number, from: number): TimerStartedEvent {
    const waitsFor = this.#waitsFor;
    const dueAt = Math.min(from + this.delayMs, Number.MAX_VALUE);
    return { type: "timer_started", at, seq: this.seq, dueAt, ...(waitsFor !== undefined && { waitsFor }) };
  }

  override seen(event: WorkflowEvent): void {
    if (event.type === "timer_fired") this.resolve(undefined);
  }

  override get performed(): boolean {
    return this.#timer !== undefined;
  }

  override perform(run: Performer): void {
    const { clock, timers } = run.environment.timing;
    this.#timers = timers;
    this.#timer = timers.set(this.#dueAt, () => {
      const event: TimerFiredEvent = { type: "timer_fired", at: clock.now(), seq: this.seq };
      run.record(Object.freeze(event));
    });
  }

  override stop(): void {
    this.#timers?.clear(this.#timer);
  }

  override get wakesAt(): number {
    return this.performed ? this.#dueAt : -Infinity;
  }

  override wait(): Wait | undefined {
    return this.event === undefined ? undefined : { type: "timer", dueAt: this.#dueAt };
  }

  get #dueAt(): number {
    return (this.event as TimerStartedEvent).dueAt;
  }
}

/** A small function whose answer is recorded with the command itself. */
export class SideEffectCommand extends Command {
  readonly type = "side_effect";
  readonly #body: () => unknown;

  constructor(caller: Caller, body: () => unknown) {
    super(caller);
    this.#body = body;
  }

  toEvent(at: number, _from: number, maxBytes: number | undefined): SideEffectEvent {
    const { type, seq } = this;
    try {
      return { type, at, seq, value: toStored(this.#body(), "value of side effect", undefined, maxBytes) };
    } catch (error) {
      return { type, at, seq, error: toErrorRecord(error) };
    }
  }

  override seen(event: WorkflowEvent): void {
    const { error, value } = event as SideEffectEvent;
    if (error === undefined) this.resolve(handOut(value));
    else this.reject(fromErrorRecord(error));
  }
}

/** The start of a compensation. */
export class CompensationCommand extends Command {
  readonly type = "compensation_started";

  toEvent(at: number): CompensationStartedEvent {
    return { type: "compensation_started", at, seq: this.seq, name: this.name! };
  }

  override seen(): void {
    this.resolve(undefined);
  }
}

/** A change of the labels. Nobody waits for it, and no cancellation reaches it. */
export class LabelsCommand extends Command {
  readonly type = "labels_changed";
  readonly #labels: Labels;

  /** @param labels All labels of the run from now on. */
  constructor(caller: Caller, labels: Labels) {
    super(caller);
    this.#labels = labels;
  }

  toEvent(at: number): LabelsChangedEvent {
    return { type: "labels_changed", at, seq: this.seq, labels: this.#labels };
  }

  override seen(): void {
    this.scope.owner.commands.delete(this.seq);
  }

  override cancel(): void {}
}
