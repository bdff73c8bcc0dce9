/**
 * Scopes: the parts of a run that are cancelled, shielded and undone on their own. The whole run is the outermost scope.
 *
 * Owns the tree of scopes, what is open in each of them, and how a scope ends. Does not know what commands and signals are:
 * everything that is open in a scope can be cancelled, and takes itself out of the scope when it ends.
 *
 * ```
 * open ──> closing ──────────────────────────────────────────────> closed
 *  (body)   (what is open ends)  └──> undoing (compensations) ──────┘
 * ```
 *
 * 1. A scope has no events. What it does follows from the events that were applied, so a replay repeats it.
 * 2. A cancellation reaches everything that is open in the scope and in its nested scopes at once. It does not reach a nested
 *    shield. From then on new waits are refused with its reason.
 * 3. A scope is closed only when all nested scopes are closed. That is checked at the end of a turn, because code that was
 *    cancelled can still open a shield for its cleanup.
 * 4. The first error counts: that of the body or of a branch. What the body returns is the answer, also after a cancellation.
 * 5. Compensations run when the scope fails, after everything in flight in it has ended. If the scope succeeds, the parent
 *    gets them.
 *
 * @module
 */

import { CanceledError, CompensationError } from "../errors.ts";
import { isA } from "../util/check.ts";
import { Deferred } from "../util/deferred.ts";
import { type Few, members, withMember, withoutMember } from "../util/few.ts";
import { toErrorRecord } from "../history/error_record.ts";

/** Something that is open in a scope: a wait, a command, or a loop over signals. */
export interface Open {
  /** The scope was cancelled. What ends because of this takes itself out of the scope. */
  cancel(reason: Error): void;
}

/** An error; it can be any value. */
export interface Failure {
  readonly error: unknown;
}

/** Runs the code of a compensation in a shield. */
export type Compensation = (shield: Scope) => Promise<void>;

/** The commands of a run, as its scopes see them. */
export interface ScopedCommands {
  /** The open commands of the outermost scope: a run that uses no other scope does not list them twice. */
  ofRoot(): Open[];
  /** Nobody waits for a command, and its event was applied. */
  delete(seq: number): unknown;
  /** The scope of a command was cancelled. */
  cancel(command: Open, reason: Error): void;
  /** A scope waits for the outcome of a command that was cancelled, if it has none yet. */
  awaitOutcome(command: Open, scope: Scope): void;
}

/** The run of a scope. */
export interface ScopeOwner {
  /** The name of the workflow in messages. */
  readonly name: string;
  readonly refusals: {
    /** The error of waits that the end of a scope cuts off. */
    readonly scopeEnded: Error;
  };
  /** Calls `scope.settleQuiet()` at the end of the turn. */
  checkAtEndOfTurn(scope: Scope): void;
  readonly commands: ScopedCommands;
  /** The code of the outermost scope has ended, or is given up. */
  rootEnded(failure: Failure): void;
}

/** How a scope differs from its parent. */
export interface ScopeKind {
  /** Whether a cancellation of the parent does not reach it. */
  readonly isShield?: boolean | undefined;
  /** Whether waits for cancelled commands settle with their real outcome. Nested scopes inherit it. */
  readonly waitForCanceled?: boolean | undefined;
  /** Called with its error when it has failed, before it leaves its parent: the parent cannot end without that error. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

const rootKind: ScopeKind = {};

/** What a scope undoes if it fails. */
interface Undo {
  /** Oldest first. */
  readonly compensations: Compensation[];
  /** Cancelled commands whose outcomes it waits for before it undoes anything. */
  readonly followed: Open[];
  /** The shield in which a compensation runs. */
  shield: Scope | undefined;
  /** Settles when that compensation has ended. */
  ended: Deferred<void> | undefined;
}

export class Scope {
  declare readonly owner: ScopeOwner;
  declare readonly parent: Scope | undefined;
  declare readonly kind: ScopeKind;
  /** Why new waits are refused: it was cancelled, or its body has ended. */
  canceled: Error | undefined;
  /** The reason with which its own code cancelled it. */
  ownReason: Error | undefined;
  #phase: "open" | "closing" | "closed" = "open";
  /** Ends the deadline. */
  stopDeadline: (() => void) | undefined = undefined;
  /** Waits and nested scopes, in the order in which they began; the commands of the outermost scope are not among them. */
  #open: Few<Open | Scope>;
  #undo: Undo | undefined;
  #failure: Failure | undefined;
  /** Resolves when nothing is open; `undefined` while nobody waits for that. */
  #quiet: Deferred<void> | undefined;
  #controller: AbortController | undefined;

  constructor(owner: ScopeOwner, parent?: Scope, kind: ScopeKind = rootKind) {
    this.owner = owner;
    this.parent = parent;
    this.kind = kind;
    parent?.add(this);
  }

  /** Is aborted when the scope is cancelled. Made when it is first read: most scopes never read it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.canceled !== undefined) this.#controller.abort(this.canceled);
    }
    return this.#controller.signal;
  }

  /** Whether its body has ended, or it was given up. */
  get bodyEnded(): boolean {
    return this.#phase !== "open";
  }

  get closed(): boolean {
    return this.#phase === "closed";
  }

  /** Whether waits for cancelled commands settle with their real outcome. */
  get waitForCanceled(): boolean {
    for (const { kind } of this.#outwards()) if (kind.waitForCanceled !== undefined) return kind.waitForCanceled;
    return false;
  }

  /**
   * The scope that calls through its context belong to: while a compensation runs, the shield of that compensation. The same
   * is true for a closed scope, because its compensations have passed to its parent.
   */
  get current(): Scope {
    // deno-lint-ignore no-this-alias -- a walk
    let inner: Scope = this;
    // deno-lint-ignore no-this-alias -- a walk
    for (let scope: Scope | undefined = this; scope !== undefined;) {
      const shield: Scope | undefined = scope.#undo?.shield;
      if (shield !== undefined && !shield.closed) inner = scope = shield;
      else scope = scope.closed ? scope.parent : undefined;
    }
    return inner;
  }

  /** The scope that undoes something if this one fails: itself or the nearest one around it that has compensations. */
  get undoer(): Scope | undefined {
    for (const scope of this.#outwards()) if (scope.#undo !== undefined) return scope;
    return undefined;
  }

  /** The scope, and those around it. Walks are not recursive: scopes can be nested deeper than the stack. */
  *#outwards(): Generator<Scope> {
    // deno-lint-ignore no-this-alias -- a walk
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) yield scope;
  }

  /** Something begins in the scope. */
  add(one: Open | Scope): void {
    this.#open = withMember(this.#open, one);
  }

  /** Something in the scope has ended. */
  delete(one: Open | Scope): void {
    this.#open = withoutMember(this.#open, one);
    if (this.#quiet !== undefined) this.owner.checkAtEndOfTurn(this);
  }

  addCompensation(compensation: Compensation): void {
    for (const scope of this.#outwards()) {
      if (scope.closed && scope.parent !== undefined) continue;
      scope.#undo ??= { compensations: [], followed: [], shield: undefined, ended: undefined };
      scope.#undo.compensations.push(compensation);
      return;
    }
  }

  /** A command was cancelled whose outcome must be known before something is undone. Only if this is an `undoer`. */
  follow(command: Open): void {
    this.#undo!.followed.push(command);
  }

  /** Cancels the scope, and the nested scopes that are no shields. */
  cancel(reason: Error): void {
    const reached: Scope[] = [];
    const walks: Iterator<Open | Scope>[] = [];
    const enter = (scope: Scope): void => {
      if (scope.canceled !== undefined) return;
      scope.canceled = reason;
      reached.push(scope);
      scope.stopDeadline?.();
      if (scope.parent === undefined) { for (const command of this.owner.commands.ofRoot()) command.cancel(reason); }
      walks.push(members(scope.#open)[Symbol.iterator]());
    };
    enter(this);
    for (let walk; (walk = walks.at(-1)) !== undefined;) {
      const { done, value: one } = walk.next();
      if (done) walks.pop();
      else if (!(one instanceof Scope)) one.cancel(reason);
      else if (!one.kind.isShield) enter(one);
    }
    for (const scope of reached) scope.#controller?.abort(reason); // only now: listeners can call the context
  }

  /** A branch of the scope has failed: the scope fails with its error. */
  fail(error: unknown): void {
    if (this.canceled !== undefined && (error === this.canceled || isA(error, CanceledError))) return; // cut off
    this.#failure ??= { error };
    this.cancel(this.owner.refusals.scopeEnded);
  }

  /** The first error of the body or of a branch; a `CompensationError`. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /**
   * Runs the body of the scope, and closes the scope.
   *
   * @returns What the body returns.
   * @throws The error of `failure`.
   */
  async run<T>(body: () => T | PromiseLike<T>): Promise<T> {
    let value: T;
    try {
      value = await body();
    } catch (error) {
      this.#failure ??= { error };
    }
    if (this.bodyEnded) return new Promise(() => {}); // it was given up
    const closing = this.end();
    if (closing !== undefined) await closing;
    if (this.#failure !== undefined) throw this.#failure.error;
    return value!;
  }

  /**
   * The body has ended: the scope closes.
   *
   * @param failure The error with which it fails, if that is not the one of `failure`.
   * @returns Resolves when it is closed; `undefined` if it is closed already.
   */
  end(failure: Failure | undefined = this.#failure): Promise<void> | undefined {
    this.#failure = failure;
    this.#phase = "closing";
    this.stopDeadline?.();
    if (this.#cancelOpen()) return this.#close();
    this.#closed();
  }

  /**
   * Its code is refused again and again, and may never end: the scope fails, and those around it whose code waits for it. If
   * its body has ended, nobody waits for that code.
   */
  giveUp(failure: Failure): void {
    for (const scope of this.#outwards()) {
      const { parent } = scope;
      if (scope.bodyEnded) return;
      if (parent === undefined) return this.owner.rootEnded(failure);
      scope.#failure ??= failure;
      const closing = scope.end();
      const undo = parent.#undo;
      if (undo?.shield === scope) {
        Promise.resolve(closing).then(() => undo.ended!.reject(scope.#failure!.error)); // the next compensation runs
        return;
      }
    }
  }

  #adopt(nested: Scope): void {
    if (nested.#undo === undefined) return;
    const { compensations, followed } = nested.#undo;
    nested.#undo = undefined;
    for (const one of compensations) this.addCompensation(one);
    const { undoer } = this;
    for (const one of followed) undoer?.follow(one);
  }

  /** Whether it has something to undo. */
  get #undoes(): boolean {
    return this.#failure !== undefined && this.#undo !== undefined;
  }

  async #close(): Promise<void> {
    do {
      await this.#becameQuiet();
      this.#cancelOpen(); // a branch may have failed
    } while (this.#busy);
    if (this.#undoes) await this.#compensate(this.#undo!, this.#failure!.error);
    this.#closed();
  }

  #closed(): void {
    this.#phase = "closed";
    const { parent } = this;
    if (parent === undefined) return;
    parent.#adopt(this);
    if (this.#failure !== undefined) this.kind.failed?.(this.#failure.error);
    parent.delete(this);
  }

  /**
   * Cancels what is open. In a run without scopes that was not cancelled and has nothing to undo, it ends with the run.
   *
   * @returns Whether there is more to do before the scope is closed: something was cut off, or is to be undone.
   */
  #cancelOpen(): boolean {
    if (this.parent === undefined && this.canceled === undefined && !this.#undoes && !this.#hasNested) return false;
    if (this.#open !== undefined || this.parent === undefined) this.cancel(this.owner.refusals.scopeEnded);
    const more = this.canceled !== undefined || this.#undoes;
    this.canceled ??= this.owner.refusals.scopeEnded;
    return more;
  }

  get #hasNested(): boolean {
    for (const one of members(this.#open)) if (one instanceof Scope) return true;
    return false;
  }

  /** Resolves at the end of a turn in which nothing is open that the scope waits for. */
  #becameQuiet(): Promise<void> {
    this.#quiet = new Deferred();
    this.owner.checkAtEndOfTurn(this);
    return this.#quiet.promise;
  }

  /** Whether it waits for something that is open. */
  get #busy(): boolean {
    return this.canceled !== undefined && this.#open !== undefined;
  }

  /** The turn has ended. Returns whether code runs now because nothing is open any more. */
  settleQuiet(): boolean {
    if (this.#quiet === undefined || this.#busy) return false;
    this.#quiet.resolve();
    this.#quiet = undefined;
    return true;
  }

  /** Runs the compensations, newest first. */
  async #compensate(undo: Undo, error: unknown): Promise<void> {
    for (const command of undo.followed.splice(0)) this.owner.commands.awaitOutcome(command, this);
    while (this.#busy) await this.#becameQuiet();
    const errors: unknown[] = [];
    for (let compensation; (compensation = undo.compensations.pop()) !== undefined;) {
      const body = compensation;
      const shield = undo.shield = new Scope(this.owner, this, { isShield: true });
      const ended = undo.ended = new Deferred();
      shield.run(() => body(shield)).then(ended.resolve, (failure) => ended.reject(failure));
      await ended.promise.catch((failure) => errors.push(failure));
    }
    undo.shield = undefined;
    if (errors.length === 0) return;
    const { message, thrown } = toErrorRecord(error);
    const what = this.parent === undefined ? this.owner.name : `a scope of ${this.owner.name}`;
    const failed = this.parent === undefined ? "the workflow had failed" : "it had failed";
    const text = `${errors.length} of the compensations of ${what} failed; ${failed}${
      thrown === undefined ? ` with: ${message}` : ""
    }`;
    this.#failure = { error: new CompensationError(text, errors, { cause: error }) };
  }
}
