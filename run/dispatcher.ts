/**
 * Performs the commands of a run, once they are stored: which of them, and when.
 *
 * 1. The executor that stored a command performs it. With a lease, a short activity may begin before that: see `defer()`.
 * 2. After a replay, the commands that are open in the history are performed here, too: they are "taken over". Before that, the
 *    store confirms that nothing was stored since the history was read, and the code sees everything.
 * 3. After the end of the code, only commands that outlive the run begin.
 * 4. A child of which nobody waits for the outcome is closed by its policy.
 *
 * What the work of a command is, its class says (`run/command.ts`).
 *
 * @module
 */

import type { ActivityStartedEvent, ChildStartedEvent, WorkflowEvent } from "../types.ts";
import { isCommand } from "../history/history.ts";
import type { ActivityRun } from "./activity.ts";
import { ChildCommand, type ParentRun } from "./child.ts";
import type { Command } from "./command.ts";
import type { RunEnvironment } from "./environment.ts";
import type { Chain } from "./live_run.ts";
import type { Replay } from "./replay.ts";
import type { Timer } from "./timers.ts";
import type { Writer } from "./writer.ts";

/** The run of the commands. */
export interface DispatchingRun extends ActivityRun, ParentRun {
  readonly environment: RunEnvironment;
  readonly chain: Chain;
  readonly acceptsEvents: boolean;
}

/** For how long the start of an activity may wait for its end, in milliseconds, to be stored with it. */
const DEFER_MS = 100;

/** With more open commands than this, nobody looks at each of them before an append. */
const MANY = 32;

const none: readonly never[] = [];

export class Dispatcher {
  readonly #run: DispatchingRun;
  readonly #replay: Replay;
  readonly #writer: Writer;
  /**
   * Open commands with a position below this are taken over, once the store has confirmed that the code has seen every event;
   * `undefined` if there is nothing to take over.
   */
  #takeOverBelow: number | undefined;
  /** Commands below this that are stored here may have begun before: an earlier owner need not have stored their start. */
  #unsureBelow = 0;
  /** Set while events may wait for another one. */
  #flush: Timer | undefined;
  /** Children whose end is not stored, by the position of their command. */
  #children: Map<number, ChildStartedEvent> | undefined;

  /** Whether the workflow function has ended: only commands that outlive the run are performed. */
  codeHasEnded = false;

  constructor(run: DispatchingRun, replay: Replay, writer: Writer) {
    this.#run = run;
    this.#replay = replay;
    this.#writer = writer;
  }

  /** Performs the commands that were stored here just now. If older ones are to be taken over, those begin first. */
  stored(ours: readonly WorkflowEvent[]): void {
    if (this.#takeOverBelow !== undefined) return;
    for (const event of ours) if (isCommand(event)) this.#perform(event.seq);
  }

  #perform(seq: number): void {
    const command = this.#replay.commands.get(seq); // none if a cancellation was faster
    if (command === undefined || command.settled || command.performed || this.#replay.stopped) return;
    if (this.#isWanted(command)) command.perform(this.#run, false);
  }

  /** Whether a command is still to be performed. */
  #isWanted(command: Command): boolean {
    return this.#run.acceptsEvents && (!this.codeHasEnded || command.outlivesRun);
  }

  /** See `WriterOwner.defer()`. */
  defer(events: readonly WorkflowEvent[]): boolean {
    if (this.#takeOverBelow !== undefined || this.#replay.stopped) return false;
    const { commands } = this.#replay;
    const canWait = (event: WorkflowEvent) => {
      const command = event.type === "activity_started" ? commands.get(event.seq) : undefined;
      return command?.deferrable === true && command.following === undefined;
    };
    if (!events.every(canWait)) return false;
    const { clock, timers } = this.#run.environment.timing;
    this.#flush ??= timers.set(clock.now() + DEFER_MS, () => {
      this.#flush = undefined;
      this.#writer.flush();
    });
    for (const event of events as ActivityStartedEvent[]) {
      const command = commands.get(event.seq)!;
      command.event = event;
      command.ours = true;
      this.#perform(event.seq);
    }
    return true;
  }

  /**
   * When the run continues by itself after `events`, if its code only waits for timers; `undefined` for at once. A time that is too
   * early does no harm: if the owner dies, another one takes the run early and waits itself.
   *
   * @param wakesAt When it continues anyway.
   */
  wakesAfter(events: readonly WorkflowEvent[], wakesAt: number): number | undefined {
    const { commands, inTurn, unansweredUpdates } = this.#replay;
    if (commands.size > MANY || inTurn || this.codeHasEnded || unansweredUpdates > 0) return undefined;
    if (this.#children?.size) return undefined; // perhaps one is not needed any more, and was not closed
    const begins = new Set<number>();
    for (const event of events) {
      if (event.type !== "timer_started") return undefined;
      begins.add(event.seq);
      wakesAt = Math.min(wakesAt, event.dueAt);
    }
    for (const command of commands.values()) {
      if (command instanceof ChildCommand) return undefined; // nobody tells the next owner that the child has ended
      if (!begins.has(command.seq)) wakesAt = Math.min(wakesAt, command.wakesAt);
    }
    return Number.isFinite(wakesAt) ? wakesAt : undefined;
  }

  // Taking over

  /** The replay of what is stored has ended. */
  replayed(): void {
    const { chain, environment } = this.#run;
    // Nothing else was open when the run became dormant: the executors that stored other commands perform them.
    this.#takeOverBelow ??= chain.wasDormant ? this.#replay.commands.next : Infinity;
    if (chain.lease !== undefined && !chain.wasDormant) this.#unsureBelow = this.#replay.commands.next;
    // A cancellation that was replayed has ended the waits for these children, and an earlier process may not have closed them.
    for (const [seq, event] of this.#children ?? none) {
      if (this.#replay.commands.get(seq) === undefined) environment.children.close(this.#run, event);
    }
    this.#writer.confirm();
  }

  /** Takes over every open command: see `LiveRun.takeOver()`. */
  takeOver(): void {
    this.#takeOverBelow = Infinity;
    this.#writer.confirm();
  }

  /** Whether every open command is to be taken over, and that has not happened. */
  get takesOverAll(): boolean {
    return this.#takeOverBelow === Infinity;
  }

  /** The code has seen every event that is known here: performs what is to be taken over, once the store has confirmed that. */
  caughtUp(): void {
    const below = this.#takeOverBelow;
    if (below === undefined || this.#writer.behind) return;
    this.#takeOverBelow = undefined;
    if (!this.#run.acceptsEvents) return;
    for (const command of this.#replay.commands.values()) {
      const { event, ours, seq, following } = command;
      const isOpen = event !== undefined && (ours || seq < below) && !command.settled;
      if (!isOpen || !this.#isWanted(command)) continue;
      const isNew = ours && !(seq < this.#unsureBelow && command.deferrable);
      if (command.performed) command.takeOver();
      else if (isNew || !following?.held) command.perform(this.#run, !isNew);
      else {
        following.takenOver = true; // it is performed when somebody waits for it
        this.#closeChild(command);
      }
    }
  }

  /** A scope waits for the outcome of a command that was cancelled before. */
  awaited(command: Command): void {
    const isOpen = command.following!.takenOver && !command.performed && !command.settled;
    if (isOpen && this.#isWanted(command)) command.perform(this.#run, true);
  }

  // Children

  /** Notes that a child was started, or has ended. */
  noteChild(event: WorkflowEvent & { readonly seq: number }): void {
    if (event.type === "child_started") (this.#children ??= new Map()).set(event.seq, event);
    else this.#children?.delete(event.seq);
  }

  /** A child that was live here has ended or was suspended. */
  childEnded(seq: number): void {
    const command = this.#replay.commands.get(seq);
    if (command instanceof ChildCommand) command.childEnded();
  }

  /** A cancellation ended the wait for a command, and its outcome is of no interest. */
  withdrawn(command: Command): void {
    if (!this.#replay.replaying) this.#closeChild(command); // else the end of the replay does it
  }

  #closeChild(command: Command): void {
    const child = this.#children?.get(command.seq);
    if (child !== undefined) this.#close(child, command);
  }

  #close(child: ChildStartedEvent, command: Command | undefined): void {
    if (command instanceof ChildCommand && command.performed) command.close();
    else this.#run.environment.children.close(this.#run, child);
  }

  /** Closes the children by their policies: nobody waits for them any more. */
  closeChildren(): void {
    for (const [seq, child] of this.#children ?? none) this.#close(child, this.#replay.commands.get(seq));
  }

  // The end

  /**
   * Nothing is performed here any more.
   *
   * @param reason Makes the reason for activities that are in flight.
   */
  stop(reason: () => unknown): void {
    this.#run.environment.timing.timers.clear(this.#flush);
    for (const command of this.#replay.commands.values()) command.stop(reason());
  }

  /** Starts nothing more, and resolves when the attempts in flight have ended and their outcomes are recorded. */
  async drain(): Promise<void> {
    await Promise.all(Array.from(this.#replay.commands.values(), (command) => command.drain()));
  }
}
