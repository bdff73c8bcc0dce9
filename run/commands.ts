/**
 * The commands of a run: each has a position, where it is compared with the history.
 *
 * Each event of a command comes here twice. `stored()` notes it as soon as it is in the history: a command that follows in the
 * code is compared with it, and what it supersedes is stopped. `apply()` comes when its turn has come: now workflow code sees it.
 *
 * 1. The n-th command of a run has the position n. If the history holds a command at that position, the code must issue one
 *    of the same kind and name, before the turn of that event comes. Otherwise the run diverges.
 * 2. A command that is issued outside of a turn diverges, since no replay could repeat it.
 * 3. A command is open, and known to its scope, from its issue until its outcome was seen or nobody waits for it.
 *
 * @module
 */

import type { NonDeterminismError } from "../errors.ts";
import type { CommandEvent, WorkflowEvent } from "../types.ts";
import { LazyMap } from "../util/lazy_map.ts";
import { isCommand, isOutcome } from "../history/history.ts";
import type { Command } from "./command.ts";
import { missingCommand, otherCommand } from "./divergence.ts";
import type { Scope } from "./scope.ts";

/** Gets what becomes of the commands. */
export interface CommandOwner {
  /** Workflow code issued a command that the history does not hold. */
  issued(command: Command): void;
  /**
   * Workflow code repeated a command that the history holds.
   *
   * @param now The time of the event that was applied last.
   */
  repeated?(command: Command, event: CommandEvent, now: number): void;
  /** A cancellation ended the wait for a command, and its outcome is of no interest. */
  withdrawn(command: Command): void;
  /** A scope waits for the outcome of a command that was cancelled before. */
  awaited(command: Command): void;
}

/** The code that issues the commands. */
export interface IssuingCode {
  readonly workflowId: string;
  /** The scope of the workflow function. */
  readonly root: Scope;
  /** The time of the event that was applied last. */
  now: number;
  /** Whether the workflow function was called, or will be. */
  readonly isCalled: boolean;
  /** Whether it has ended. */
  readonly ended: boolean;
  /** Whether it may run now. If not, it diverges. */
  mayRun(position: number, asksFor: Command): boolean;
  /** Code and history do not agree. */
  diverge(error: NonDeterminismError): false;
}

const none: readonly never[] = [];

/** The open commands: those whose outcome workflow code has not seen, by position. */
export class Commands extends LazyMap<number, Command> {
  readonly #code: IssuingCode;
  readonly #owner: CommandOwner;
  /** The position of the next command. */
  next = 0;
  /** Commands that the history holds and the code has not issued yet, by position. */
  #expected: Map<number, CommandEvent> | undefined;

  constructor(code: IssuingCode, owner: CommandOwner) {
    super();
    this.#code = code;
    this.#owner = owner;
  }

  /** Whether the history holds commands that the code has not issued yet. */
  get areExpected(): boolean {
    return this.#expected !== undefined && this.#expected.size > 0;
  }

  /** Issues a command: gives it its position, unless the history has another one there. Returns whether the code waits for it. */
  issue(scope: Scope, command: Command): boolean {
    const code = this.#code;
    const seq = this.next++;
    command.seq = seq;
    command.scope = scope;
    const event = this.#expected?.get(seq);
    if (event !== undefined) {
      this.#expected!.delete(seq);
      if (!command.matches(event)) return this.#divergeFrom(event, command);
      command.event = event;
      this.#owner.repeated?.(command, event, code.now);
    }
    if (!code.mayRun(seq, command)) return false;
    if (event === undefined && code.ended) return false; // it is never performed: the run must not wait for it
    this.set(seq, command);
    if (scope !== code.root) scope.add(command);
    if (event === undefined) this.#owner.issued(command);
    return true;
  }

  #divergeFrom(event: CommandEvent, command: Command): false {
    return this.#code.diverge(otherCommand(this.#code.workflowId, event, command, this.#expected?.values() ?? none));
  }

  /**
   * Notes an event of a command that is in the history now.
   *
   * @param ours Whether this executor stored it just now.
   */
  stored(event: WorkflowEvent & { readonly seq: number }, ours: boolean): void {
    const command = this.get(event.seq);
    if (!isCommand(event)) {
      if (command === undefined) return; // the code has not issued it, or does not wait for it any more
      if (isOutcome(event)) command.settle();
      else command.stored(event);
    } else if (command === undefined) {
      if (event.seq >= this.next) (this.#expected ??= new Map()).set(event.seq, event);
    } else if (command.matches(event)) {
      command.event = event;
      command.ours = ours;
    } else this.#divergeFrom(event, command);
  }

  /**
   * The turn of an event of a command has come.
   *
   * @returns Whether workflow code may run because of it.
   */
  apply(event: WorkflowEvent & { readonly seq: number }): boolean {
    const code = this.#code;
    if (event.seq >= this.next) {
      // Without a call there is nothing to compare: another executor has called the function.
      if (code.isCalled) code.diverge(missingCommand(code.workflowId, event));
      return false;
    }
    const command = this.get(event.seq); // none if a cancellation has ended the wait
    if (!isOutcome(event)) {
      command?.seen(event);
      if (event.type !== "child_begun") return false;
      code.now = event.at;
      return true;
    }
    code.now = event.at;
    if (command !== undefined) {
      this.delete(event.seq);
      command.scope.delete(command);
      command.seen(event);
    }
    return true;
  }

  /** Nobody waits for a command any more. */
  drop(command: Command, reason?: Error): void {
    this.delete(command.seq);
    command.scope.delete(command);
    command.stop(reason);
  }

  /** The open commands of the outermost scope: a run that uses no other scope does not list them twice. */
  ofRoot(): Command[] {
    const { root } = this.#code;
    return [...this.values()].filter(({ scope, following }) => scope === root && following === undefined);
  }

  /** One activity is cancelled, and not its scope; see `ActivityCanceler`. */
  cancelActivity(call: Promise<unknown>, reason: Error): void {
    for (const command of this.values()) if (command.promise === call) this.cancel(command, reason, true);
  }

  /**
   * The scope of a command was cancelled.
   *
   * @param isAwaited Whether the code waits for its outcome.
   */
  cancel(command: Command, reason: Error, isAwaited: boolean = command.scope.waitForCanceled): void {
    const { scope, whenCanceled } = command;
    const undoer = scope.undoer;
    if (whenCanceled === "followed" && (isAwaited || undoer !== undefined)) {
      const held = !isAwaited;
      command.following = { reason, at: this.#code.now, held, record: undefined, takenOver: false };
      if (held) {
        scope.delete(command);
        undoer!.follow(command);
        command.reject(reason);
      }
      return command.cancelWork();
    }
    if (whenCanceled === "kept") scope.delete(command);
    else this.drop(command, reason);
    command.reject(reason);
    if (whenCanceled !== "kept") this.#owner.withdrawn(command);
  }

  /** A scope waits for the outcome of a command that was cancelled, if it has none yet. */
  awaitOutcome(command: Command, scope: Scope): void {
    if (this.get(command.seq) !== command) return; // its outcome was applied
    command.scope = scope;
    scope.add(command);
    command.release();
    this.#owner.awaited(command);
  }
}
