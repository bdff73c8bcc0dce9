/**
 * Cancellation scopes, and which run and which scope the code runs in.
 *
 * 1. The run, the scope and the update of the code that runs follow the asynchronous context (`AsyncLocalStorage`).
 * 2. The context of the run is called outside of it ({@linkcode outside}). Otherwise the executor's timers and the activities would
 *    run inside of a workflow.
 * 3. The whole run is in one shield. A scope opens a scope of that shield for its waits, when it has one. It is open until the scope
 *    has nothing to wait for: unlike a scope of the context, a scope here goes on with work that its function has not awaited.
 * 4. A scope is known to its parent only while something in it can be cancelled. Whether it is cancelled follows from those around
 *    it, at any time.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { ScopeContext } from "../context.ts";
import { Deferred, quiet } from "../util/deferred.ts";
import { type Few, members, withMember, withoutMember } from "../util/few.ts";
import { CancelledFailure, type Duration, IllegalStateError } from "./common/mod.ts";
import { checkTemporalOptions } from "./common/option_tables.ts";
import { durationMs } from "./common/duration.ts";
import type { Run } from "./run.ts";
import type { UpdateInfo } from "./types.ts";

/** Where workflow code runs. */
export interface Frame {
  readonly run: Run;
  readonly scope: CancellationScope;
  readonly update: UpdateInfo | undefined;
}

const frames = /* @__PURE__ */ new AsyncLocalStorage<Frame | undefined>();

/** Returns where the code runs; `undefined` outside of a workflow. */
export function currentFrame(): Frame | undefined {
  return frames.getStore();
}

/**
 * Returns where the code runs.
 *
 * @param action What it wants to do, for the message.
 * @throws {IllegalStateError} Outside of a workflow.
 */
export function requireFrame(action: string): Frame {
  const frame = frames.getStore();
  if (frame === undefined) {
    throw new IllegalStateError(
      `Cannot ${action}: the code runs outside of a workflow, or in a callback that has lost the asynchronous context of its workflow`,
    );
  }
  return frame;
}

/** Runs code in a workflow. */
export function enter<T>(frame: Frame, body: () => T): T {
  return frames.run(frame, body);
}

/** Runs code outside of any workflow: every call of a context is one. */
export function outside<T>(body: () => T): T {
  return frames.run(undefined, body);
}

/**
 * Options of a {@linkcode CancellationScope}.
 *
 * @category Temporal
 */
export interface CancellationScopeOptions {
  /**
   * After which time the scope is cancelled, from the call of `run()`.
   *
   * @default {never}
   */
  timeout?: Duration | undefined;
  /** Whether a cancellation reaches what is in the scope. */
  cancellable: boolean;
  /**
   * The scope around it.
   *
   * @default {the current scope}
   */
  parent?: CancellationScope | undefined;
}

/** Begins a wait of the context that ends with a scope. It is refused if the scope is cancelled. */
export let waitIn: <T>(scope: CancellationScope, begin: (context: ScopeContext) => Promise<T>) => Promise<T>;
/** Calls a function when a scope is cancelled, which it is not yet. Returns a function that ends that, to be called once. */
export let onCancel: (scope: CancellationScope, listener: (reason: Error) => void) => () => void;
/** Makes the scope of a run. */
export let rootScope: (run: Run) => CancellationScope;
/** Cancels the scope of a run, because the run was cancelled. */
export let cancelRoot: (root: CancellationScope) => void;

/** The run of a scope that has no parent. */
const rootRun: unique symbol = /* @__PURE__ */ Symbol("run");

/**
 * A part of a workflow that is cancelled on its own: the timers, activities, children and nested scopes that begin in it.
 *
 * @category Temporal
 *
 * @example
 * ```ts
 * import { CancellationScope, isCancellation, sleep } from "@rockpool/workflow/temporal";
 *
 * export async function waitAtMost(ms: number): Promise<string> {
 *   try {
 *     await CancellationScope.withTimeout(ms, () => sleep("1 day"));
 *     return "done";
 *   } catch (error) {
 *     if (isCancellation(error)) return "cancelled";
 *     throw error;
 *   }
 * }
 * ```
 */
export class CancellationScope {
  /** After which time the scope is cancelled, in milliseconds; `undefined` without a timeout. */
  protected readonly timeout?: number | undefined;
  /** Whether a cancellation reaches what is in the scope. */
  readonly cancellable: boolean;
  /** The scope around it; `undefined` for the scope of the workflow itself. */
  readonly parent?: CancellationScope | undefined;
  readonly #run: Run;
  /** Why it was cancelled by its own `cancel()`. */
  #ownReason: Error | undefined;
  #cancelRequested: Deferred<never> | undefined;
  /** The scope of the context for the waits of this one. */
  #context: ScopeContext | undefined;
  #closeContext: (() => void) | undefined;
  /** How many functions and waits are in progress. */
  #inProgress = 0;
  #children: Set<CancellationScope> | undefined;
  #listeners: Few<(reason: Error) => void>;

  /**
   * Makes a scope.
   *
   * @param options Whether it can be cancelled, a timeout, and the scope around it.
   * @throws {IllegalStateError} Outside of a workflow.
   * @throws {TypeError} If `timeout` is no duration.
   */
  constructor(options?: CancellationScopeOptions) {
    const { timeout, cancellable = true, parent, [rootRun]: run } = (options ?? {}) as
      & Partial<CancellationScopeOptions>
      & { [rootRun]?: Run };
    checkTemporalOptions("new CancellationScope", options, "make a scope");
    this.timeout = timeout == null ? undefined : durationMs(timeout, "timeout");
    this.cancellable = cancellable;
    if (run === undefined) {
      this.parent = parent ?? CancellationScope.current();
      this.#run = this.parent.#run;
    } else this.#run = run;
  }

  /** Rejects when the scope is cancelled, or a scope around it whose cancellation reaches it. */
  get cancelRequested(): Promise<never> {
    if (this.#cancelRequested === undefined) {
      this.#cancelRequested = new Deferred();
      const reason = this.#requested;
      if (reason === undefined) this.#register();
      else this.#cancelRequested.reject(reason);
    }
    return this.#cancelRequested.promise;
  }

  /** Whether the scope is cancelled. One that is not cancellable never is. */
  get consideredCancelled(): boolean {
    return this.cancellable && this.#requested !== undefined;
  }

  /** Why it was cancelled, or a scope around it whose cancellation reaches it. */
  get #requested(): Error | undefined {
    // deno-lint-ignore no-this-alias -- a walk
    let scope: CancellationScope = this;
    for (;;) {
      if (scope.#ownReason !== undefined) return scope.#ownReason;
      if (scope.parent === undefined || !scope.parent.cancellable) return undefined;
      scope = scope.parent;
    }
  }

  /**
   * Runs a function in the scope. What begins in it is in the scope, also what the function does not await.
   *
   * @param fn The function.
   * @returns What it returns.
   * @throws What it throws.
   */
  run<T>(fn: () => Promise<T>): Promise<T> {
    const frame = { run: this.#run, scope: this, update: currentFrame()?.update };
    this.#begin();
    const result = enter(frame, () => this.runInContext(fn));
    const end = () => this.#end();
    result.then(end, end);
    return result;
  }

  /**
   * Runs the function, with the scope as the current one.
   *
   * @param fn The function.
   */
  protected async runInContext<T>(fn: () => Promise<T>): Promise<T> {
    if (!this.timeout) return await fn();
    const timer = new CancellationScope({ cancellable: true, parent: this });
    const { timeout } = this;
    waitIn(timer, (context) => context.sleep(Math.max(1, timeout))).then(() => this.cancel(), () => {});
    try {
      return await fn();
    } finally {
      timer.cancel();
    }
  }

  /** Cancels the scope: what is open in it rejects, and what begins in it later. */
  cancel(): void {
    this.#cancel("Cancellation scope cancelled");
  }

  #cancel(message: string): void {
    if (this.#ownReason !== undefined || this.#run.ended) return;
    const isNews = this.#requested === undefined;
    this.#ownReason = new CancelledFailure(message);
    if (isNews) this.#reached(this.#ownReason);
  }

  /** A cancellation reaches the scope. */
  #reached(reason: Error): void {
    this.#cancelRequested?.reject(reason);
    // A scope that is not cancellable has none of what follows.
    const context = this.#context;
    if (context !== undefined) outside(() => context.cancel());
    for (const listener of [...members(this.#listeners)]) listener(reason);
    for (const child of [...this.#children ?? []]) if (child.#ownReason === undefined) child.#reached(reason);
  }

  /** Something begins that a cancellation must reach. */
  #begin(): void {
    if (this.#inProgress++ === 0) this.#register();
  }

  /** It has ended. */
  #end(): void {
    if (--this.#inProgress > 0 || this.parent === undefined) return;
    this.#closeContext?.();
    this.#unregister();
  }

  #register(): void {
    // deno-lint-ignore no-this-alias -- a walk
    let scope: CancellationScope = this;
    for (let parent; (parent = scope.parent) !== undefined && parent.cancellable; scope = parent) {
      (parent.#children ??= new Set()).add(scope);
    }
  }

  #unregister(): void {
    // deno-lint-ignore no-this-alias -- a walk
    let scope: CancellationScope = this;
    for (let parent; (parent = scope.parent) !== undefined; scope = parent) {
      if (scope.#inProgress > 0 || scope.#cancelRequested !== undefined || scope.#children?.size) return;
      parent.#children?.delete(scope);
    }
  }

  /** The context whose waits this scope cancels. */
  get #contextForWaits(): ScopeContext {
    if (!this.cancellable) return this.#run.context;
    if (this.#context === undefined) {
      const { openScopes, context } = this.#run;
      const end = new Deferred<void>();
      const close = this.#closeContext = () => {
        openScopes.delete(close);
        this.#context = this.#closeContext = undefined;
        end.resolve();
      };
      openScopes.add(close);
      quiet(context.scope((scope) => {
        this.#context = scope;
        return end.promise;
      }));
      if (this.consideredCancelled) this.#context!.cancel();
    }
    return this.#context!;
  }

  #wait<T>(begin: (context: ScopeContext) => Promise<T>): Promise<T> {
    const run = this.#run;
    if (run.ended) return new Promise(() => {}); // the context is closed
    this.#begin();
    const promise = outside(() => begin(this.#contextForWaits));
    return run.follow(promise, (value) => (this.#end(), value), (error) => {
      this.#end();
      return this.consideredCancelled ? this.#requested : error;
    });
  }

  #onCancel(listener: (reason: Error) => void): () => void {
    if (!this.cancellable) return () => {};
    this.#listeners = withMember(this.#listeners, listener);
    this.#begin();
    return () => {
      this.#listeners = withoutMember(this.#listeners, listener);
      this.#end();
    };
  }

  static {
    waitIn = (scope, begin) => scope.#wait(begin);
    onCancel = (scope, listener) => scope.#onCancel(listener);
    rootScope = (run) => new CancellationScope({ cancellable: true, [rootRun]: run } as CancellationScopeOptions);
    cancelRoot = (root) => root.#cancel("Workflow cancelled");
  }

  /**
   * Returns the current scope.
   *
   * @throws {IllegalStateError} Outside of a workflow.
   */
  static current(): CancellationScope {
    return requireFrame("use a cancellation scope").scope;
  }

  /**
   * Runs a function in a new scope that can be cancelled.
   *
   * @param fn The function.
   */
  static cancellable<T>(fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: true }).run(fn);
  }

  /**
   * Runs a function in a new scope that no cancellation reaches.
   *
   * @param fn The function.
   */
  static nonCancellable<T>(fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: false }).run(fn);
  }

  /**
   * Runs a function in a new scope that is cancelled after a time.
   *
   * @param timeout The time.
   * @param fn The function.
   */
  static withTimeout<T>(timeout: Duration, fn: () => Promise<T>): Promise<T> {
    return new this({ cancellable: true, timeout }).run(fn);
  }
}
