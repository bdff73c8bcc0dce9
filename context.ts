/**
 * The port that workflow code holds: the context, its options, and the type of a workflow.
 *
 * This module holds types only; importing it loads no other module. It is long because its doc comments are the reference of
 * the port. The executor implements {@linkcode WorkflowContext}. An adapter for another engine can implement it too. What an
 * activity receives is in `activity.ts`.
 *
 * @example
 * ```ts
 * import { Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const fetchPage = (page: number) => page < 3 ? [`item ${page}`] : [];
 *
 * // The context is declared with the workflow's input, because the workflow continues with a new one.
 * async function crawl(ctx: WorkflowContext<number>, page: number): Promise<number> {
 *   const items = await ctx.executeActivity(fetchPage, page);
 *   if (items.length > 0) await ctx.continueAsNew(page + 1);
 *   return page;
 * }
 *
 * await using executor = new Executor();
 * const handle = await executor.execute(crawl, { input: 0 });
 * assertEquals(await handle.result(), 3);
 * ```
 *
 * @module
 */

import type { ActivityFunction, ActivityOptions } from "./activity.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "./definitions.ts";
import type { RetryPolicy } from "./retry.ts";
import type { CallHeaders, DeepReadonly, Labels, ParentClosePolicy, ParentRun } from "./types.ts";

/**
 * A workflow: a function of its context and its input. It may return a promise.
 *
 * The input is deeply readonly, because a value from the history is frozen.
 *
 * @category Workflow code
 *
 * @example
 * ```ts
 * import type { Workflow } from "@rockpool/workflow";
 *
 * export const countItems: Workflow<{ items: string[] }, number> = (_ctx, input) => input.items.length;
 * ```
 */
export type Workflow<Input = unknown, Output = unknown> = (
  ctx: WorkflowContext<NoInfer<Input>>,
  input: DeepReadonly<Input>,
) => Output | PromiseLike<Output>;

/**
 * The parameter of methods that take a workflow: they infer the types of its input and of what it returns. A generic function
 * that takes any workflow takes a `WorkflowFunction` as well, and passes on `ExecuteArgs`:
 *
 * ```ts
 * import type { ExecuteArgs, Executor, WorkflowFunction } from "@rockpool/workflow";
 *
 * export async function start<Input, Returned>(
 *   executor: Executor,
 *   workflow: WorkflowFunction<Input, Returned>,
 *   ...args: ExecuteArgs<Input>
 * ) {
 *   return await executor.execute(workflow, ...args);
 * }
 * ```
 *
 * A function whose input type has a mutable array is refused, because it gets a frozen one; declare the array as `readonly`.
 * Where the type is not declared, the input is readonly.
 *
 * @category Workflow code
 */
export type WorkflowFunction<Input, Returned> =
  & ((ctx: WorkflowContext<NoInfer<Input>>, input: Input) => Returned)
  & (DeepReadonly<Input> extends Input ? unknown : (ctx: never, input: DeepReadonly<Input>) => unknown);

/**
 * Every value except `undefined`.
 *
 * `Input & Defined` is `Input` without `undefined`, in a place from which the compiler infers `Input` only if no other
 * argument determines it, because it gives an inference to an intersection a lower priority. So the input is checked against
 * the type that a function declares. A generic function, and one that declares no type, gets the type of the input.
 *
 * @category Workflow code
 */
// deno-lint-ignore ban-types -- every value except null and undefined
export type Defined = {} | null;

/**
 * The arguments after a function or a name: the input, which can be left out if its type includes `undefined`, and the
 * options.
 *
 * @category Workflow code
 */
export type InputArgs<Input, Options> = undefined extends Input
  ? [input?: Input & Defined | undefined, options?: Options | undefined]
  : [input: Input & Defined, options?: Options | undefined];

/**
 * The arguments of {@linkcode WorkflowContext.continueAsNew}: the input, which can be left out if its type includes `undefined`, and
 * the options.
 *
 * @category Workflow code
 */
export type ContinueArgs<Value, Options> = undefined extends Value
  ? [value?: DeepReadonly<Value>, options?: Options | undefined]
  : [value: DeepReadonly<Value>, options?: Options | undefined];

/**
 * Options of {@linkcode WorkflowContext.continueAsNew}.
 *
 * @category Workflow code
 */
export interface ContinueAsNewOptions {
  /**
   * Whether the next run begins cancelled, if this one is. `false`: the workflow has dealt with the cancellation, and goes on as if
   * there had been none. A cancellation that this run has not seen still reaches the next one. Once the `timeoutMs` of the workflow is
   * up, the call rejects with the `TimeoutError`: it covers the whole chain.
   *
   * @default {true}
   */
  readonly canceled?: boolean | undefined;
}

/**
 * Options of {@linkcode WorkflowContext.continueAsNew} with another workflow.
 *
 * @category Workflow code
 */
export interface ContinueAsOptions<Input> extends ContinueAsNewOptions {
  /** The workflow of the next run. Name it in `workflows` of the executor, so that `recover()` finds it. */
  readonly workflow: WorkflowFunction<Input, unknown>;
}

/**
 * The port that workflow code holds. Everything that can differ between two executions of the code goes through it, so
 * that a run replays from its history exactly as it ran.
 *
 * - **Commands.** `executeActivity`, `sleep`, `sideEffect`, `executeChild`, `startChild`, `signalWorkflow`, `cancelWorkflow`,
 *   `setLabels` and the start of a compensation are commands; so is the `timeoutMs` of a wait or a scope. A command gets the next position
 *   at the call. Its event is stored before the command is performed. On replay the same call must be made at the same
 *   position; otherwise the run is suspended with a `NonDeterminismError`. A command whose outcome is in the history is not
 *   performed again.
 * - **Order.** Workflow code sees one event at a time. The order is that of the history, and so the same on replay.
 * - **Values.** An argument is copied at the call. A returned value is the stored value: deeply frozen, without prototypes.
 *   See {@linkcode DeepReadonly}.
 * - **Errors.** A method that returns a promise rejects and does not throw. A call with bad arguments records nothing.
 * - **Cancellation.** When the workflow is cancelled, the waits in progress reject with a `CanceledError`, and so do later
 *   waits. Waits of the context of a {@linkcode WorkflowContext.shield} are not affected. A part of a workflow that is
 *   cancelled on its own is a {@linkcode WorkflowContext.scope}.
 * - **Promises.** A promise that the context returns may be awaited later or never: its rejection does not end the process.
 *   An `async` function of your own that nobody awaits does, when a wait in it rejects: begin it by
 *   {@linkcode WorkflowContext.spawn}.
 *
 * `Input` is the type of the input that {@linkcode WorkflowContext.continueAsNew} takes. A workflow that continues declares
 * it: `WorkflowContext<Input>`, or `WorkflowContext<void>` without an input. A workflow that does not continue, and a helper
 * function, declare `WorkflowContext`: every context can be passed to them.
 *
 * @category Workflow code
 */
export interface WorkflowContext<Input = never> {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The ID of this run. */
  readonly runId: string;
  /** The run's labels; empty if it has none. They change by {@linkcode WorkflowContext.setLabels}. */
  readonly labels: Labels;
  /** The run's headers; empty if it has none. They do not change. */
  readonly headers: CallHeaders;
  /** The workflow and the run that started this one as a child; `undefined` if none did. */
  readonly parent: ParentRun | undefined;
  /** When this run started, in milliseconds since the epoch: its `startAt`, or when it was stored. */
  readonly startedAt: number;
  /**
   * How many events of the history the workflow has seen. The same on replay. A workflow that never ends continues as new
   * before its history is too long.
   */
  readonly historyLength: number;
  /**
   * What {@linkcode WorkflowContext.historyLength} is when the workflow has seen what came with its start: the signals that were sent with
   * it, and what the run before has not seen. 1 if nothing did.
   */
  readonly startEvents: number;
  /** Whether a history is being replayed. For logs and metrics of your own: no decision may depend on it. */
  readonly isReplaying: boolean;
  /**
   * The executor's `workflowVersion` when the run began. It stays the same if an executor of another version resumes the
   * run.
   */
  readonly workflowVersion: string | undefined;
  /**
   * Is aborted when the workflow is cancelled or its `timeoutMs` is exceeded.
   *
   * A listener must not throw: no library can catch that. Deno and Node report it as an uncaught error, which ends the process,
   * again at each recovery. Browsers write it to the console.
   */
  readonly signal: AbortSignal;
  /** Writes lines to the executor's logger. A line is written once: nothing is written on replay. */
  readonly log: WorkflowLogger;
  /**
   * Runs an activity and returns its result.
   *
   * @param activity The function.
   * @param args Its input and the options.
   * @returns The stored result.
   * @throws What the last attempt threw; a `TimeoutError`; a `CanceledError`.
   * @throws {TypeError} If an argument is invalid, an option is unknown, or the input cannot be stored.
   * @throws {RangeError} If a number among the options is out of its range, or the input is larger than `maxPayloadBytes`.
   */
  executeActivity<ActivityInput, Returned>(
    activity: ActivityFunction<ActivityInput, Returned>,
    ...args: InputArgs<ActivityInput, ActivityOptions>
  ): Promise<DeepReadonly<Awaited<Returned>>>;
  /**
   * Iterates over the signals of one name, in order of arrival. Each iteration is a subscriber from its start (`for await`,
   * or the call of `[Symbol.asyncIterator]()`) until it stops. It gets the signals that nobody has read and all that arrive.
   *
   * @param name The signal's name or definition.
   */
  receiveSignal<Payload = unknown>(name: string | SignalDefinition<Payload>): AsyncIterable<DeepReadonly<Payload>>;
  /** The same, with the sender and the time of each signal. */
  receiveSignal<Payload = unknown>(
    name: string | SignalDefinition<Payload>,
    options: { readonly withSender: true },
  ): AsyncIterable<ReceivedSignal<Payload>>;
  /**
   * Waits. The time of the end is recorded, so a restart does not extend the wait.
   *
   * @param ms How long, in milliseconds, from 0.
   * @throws {RangeError} If `ms` is not a finite number from 0.
   */
  sleep(ms: number): Promise<void>;
  /**
   * The time of the last event that the workflow has seen, in milliseconds since the epoch. The same on replay. It never
   * decreases, also over `continueAsNew`, although the clock can be set back.
   */
  now(): number;
  /** A number from 0 to below 1, like `Math.random()`. The same on replay. */
  random(): number;
  /** A UUID of version 4. The same on replay. */
  uuid(): string;
  /**
   * Runs `body` with a context of its own. When `body` has ended, what is still open in the scope is cancelled: timers,
   * waits for signals, activities, children, nested scopes. The scope ends when all nested scopes and shields have ended,
   * including those that the cancelled code opens for its cleanup. It waits for cancelled activities and children only with
   * `waitForCanceled`, or if it has something to undo.
   *
   * The calls of the scope's context belong to the scope. Calls of the context around it do not, and a promise of that context
   * is not rejected by the end of the scope. So give the parameter the same name: then the wrong context cannot be called by
   * mistake.
   *
   * - **Cancelled** by `ctx.cancel()` of the scope, by its `timeoutMs`, or from outside: open and new waits reject with the
   *   reason. The scope still returns what `body` returns, or rejects with what it throws.
   * - **Compensations** that were added in the scope run when it fails, after what was cancelled in it has ended. If the scope
   *   succeeds, they pass to the scope around it, or to the workflow.
   * - **History.** A scope has no events. Its `timeoutMs` is a timer, and so a command.
   *
   * Await it: the error of a scope that nobody awaits is lost. A branch that runs beside other code begins with
   * {@linkcode WorkflowContext.spawn}.
   *
   * @param body What to do. It is not called if the scope around it is cancelled or has ended.
   * @param options A deadline, and whether cancelled activities and children are waited for.
   * @returns What `body` returns.
   * @throws What `body` or a spawned branch throws; a `CompensationError`; the reason, if `body` is not called.
   * @throws {TimeoutError} If `timeoutMs` is exceeded and `body` does not catch it.
   *
   * @example
   * ```ts
   * import { defineSignal, type WorkflowContext } from "@rockpool/workflow";
   *
   * const approved = defineSignal<boolean>("approved");
   * export async function decide(ctx: WorkflowContext): Promise<boolean> {
   *   // The loser of the race is withdrawn when the scope ends: it takes no signal later.
   *   return await ctx.scope((ctx) =>
   *     Promise.race([ctx.waitForSignal(approved), ctx.sleep(86_400_000).then(() => false)])
   *   );
   * }
   * ```
   */
  scope<T>(body: (ctx: ScopeContext<Input>) => T | PromiseLike<T>, options?: ScopeOptions): Promise<T>;
  /**
   * Runs cleanup that a cancellation from outside does not reach. It is a scope in every other way: its own `cancel()` and
   * `timeoutMs` reach it. It runs also if the workflow or the scope around it is already cancelled, and that scope waits for
   * it. In a scope that has ended it rejects.
   *
   * Only calls of its own context are protected, and scopes in it.
   *
   * @param body The cleanup. It takes the context.
   * @param options A deadline, and whether cancelled activities and children are waited for.
   * @returns What `body` returns.
   * @throws What `body` throws.
   * @throws {TypeError} If `body` has no parameter: then its calls would not be protected.
   *
   * @example
   * ```ts
   * import type { WorkflowContext } from "@rockpool/workflow";
   *
   * const release = (seat: string) => `released ${seat}`;
   * export async function hold(ctx: WorkflowContext, seat: string) {
   *   try {
   *     await ctx.sleep(60_000);
   *   } finally {
   *     await ctx.shield((ctx) => ctx.executeActivity(release, seat));
   *   }
   * }
   * ```
   */
  shield<T>(body: (ctx: ScopeContext<Input>) => T | PromiseLike<T>, options?: ScopeOptions): Promise<T>;
  /**
   * Begins a branch that runs beside the code that follows. It is cancelled when the scope of this context ends, or the
   * workflow function. If it fails, the scope (or the workflow) fails with its error, and everything else in it is cancelled.
   * A branch that its own `ctx.cancel()` ended has not failed. Other code can call that to end one branch.
   *
   * @param body The branch. It is called at once, unless the scope is cancelled or has ended.
   * @param options A deadline, and whether cancelled activities and children are waited for.
   * @throws {TypeError} If an argument is invalid, or an option is unknown.
   *
   * @example
   * ```ts
   * import type { WorkflowContext } from "@rockpool/workflow";
   *
   * const work = () => "done";
   * export async function withHeartbeat(ctx: WorkflowContext) {
   *   ctx.spawn(async (ctx) => {
   *     for (;;) {
   *       await ctx.sleep(60_000);
   *       ctx.log.info("still working");
   *     }
   *   });
   *   return await ctx.executeActivity(work); // the branch ends with the function
   * }
   * ```
   */
  spawn(body: (ctx: ScopeContext<Input>) => unknown, options?: ScopeOptions): void;
  /**
   * Calls `handler` with every signal of one name, one call at a time, in order of arrival. It is a spawned branch with a loop
   * over {@linkcode WorkflowContext.receiveSignal}: what the handler throws fails the scope. When the scope ends, a handler
   * that waits is cancelled, and has taken its signal.
   *
   * @param name The signal's name or definition.
   * @param handler Gets the payload, and the signal with its sender and its time.
   * @throws {TypeError} If an argument is invalid.
   */
  handleSignal<Payload = unknown>(
    name: string | SignalDefinition<Payload>,
    handler: (payload: DeepReadonly<Payload>, signal: ReceivedSignal<Payload>) => unknown,
  ): void;
  /**
   * The same for signals of any name: those that nobody else waits for when they arrive, and those that nobody has read, also
   * when a loop ends later and leaves some unread. What it has not handled when its scope ends stays unread for other readers.
   *
   * @param handler Gets the signal.
   * @throws {TypeError} If `handler` is not a function.
   */
  handleOtherSignals(handler: (signal: ReceivedSignal) => unknown): void;
  /**
   * Waits for one signal: the oldest that nobody has read, or else the next one. If the time is exceeded, a later signal
   * stays unread for the next reader.
   *
   * Of several waits for one name, the newest gets the next signal. The loser of a `Promise.race` is still a wait, and takes a
   * signal if there is no newer one: race in a {@linkcode WorkflowContext.scope}, or use `timeoutMs`.
   *
   * @param name The signal's name or definition.
   * @param options How long to wait.
   * @returns The signal's payload.
   * @throws {TimeoutError} If `timeoutMs` is exceeded.
   */
  waitForSignal<Payload = unknown>(
    name: string | SignalDefinition<Payload>,
    options?: WaitOptions,
  ): Promise<DeepReadonly<Payload>>;
  /** The same, with the sender and the time of the signal. */
  waitForSignal<Payload = unknown>(
    name: string | SignalDefinition<Payload>,
    options: WaitOptions & { readonly withSender: true },
  ): Promise<ReceivedSignal<Payload>>;
  /**
   * Takes the oldest signal of one name that has arrived and that nobody has read. Does not wait. When the workflow function is
   * called, no signal has arrived, not even one that was sent before: those arrive during its first waits.
   *
   * @param name The signal's name or definition.
   * @returns The signal; `undefined` if there is none.
   */
  takeSignal<Payload = unknown>(name: string | SignalDefinition<Payload>): ReceivedSignal<Payload> | undefined;
  /**
   * Answers queries of one name from now on, also after the workflow has ended. The handler must answer at once, must not
   * change anything, and cannot call the context. A later handler of the same name replaces it.
   *
   * @param query The query's name or definition. The name `"handlers"` is taken: every workflow answers it with what it handles.
   * @param handler Returns the answer, which is copied.
   */
  handleQuery<Result, Args extends readonly unknown[]>(
    query: string | QueryDefinition<Result, Args>,
    handler: (...args: { readonly [Index in keyof Args]: DeepReadonly<Args[Index]> }) => NoInfer<DeepReadonly<Result>>,
  ): void;
  /**
   * Answers updates of one name from now on, and those that wait for this handler. The handler is workflow code: it may change
   * the workflow's variables and use the context. What it returns or throws is recorded before the caller gets it. A later
   * handler of the same name replaces it.
   *
   * @param update The update's name or definition.
   * @param handler Gets the input and the update with its headers, and returns the answer.
   * @param options How an input is validated.
   */
  handleUpdate<Result, UpdateInput>(
    update: string | UpdateDefinition<Result, UpdateInput>,
    handler: (
      input: DeepReadonly<UpdateInput>,
      update: ReceivedUpdate,
    ) => NoInfer<DeepReadonly<Result>> | PromiseLike<NoInfer<DeepReadonly<Result>>>,
    options?: UpdateHandlerOptions<NoInfer<UpdateInput>>,
  ): void;
  /**
   * Waits until a condition on the workflow's own variables is true. The condition is checked at the call, and after every
   * event that the workflow sees.
   *
   * @param condition Returns whether the wait ends. It must not change anything.
   * @param options How long to wait.
   * @throws {TimeoutError} If `timeoutMs` is exceeded.
   * @throws What `condition` throws.
   */
  waitUntil(condition: () => boolean, options?: WaitOptions): Promise<void>;
  /**
   * Calls a small function whose result can differ, such as one that reads a variable of the process. The result is
   * recorded. On replay the function is not called, and the recorded result is returned. Use an activity for work that can
   * fail or takes time.
   *
   * @param body The function. It must not return a promise.
   * @returns The recorded result.
   * @throws What `body` threw, on replay too.
   */
  sideEffect<T>(body: () => T): Promise<DeepReadonly<T>>;
  /**
   * Adds an action that undoes work if the scope of this context (or the workflow) fails or is cancelled. Add it before that
   * work begins.
   *
   * Everything that is open in the scope is cancelled first. Activities and children that are cancelled after the first
   * compensation was added are waited for, and their outcomes are recorded. Then the compensations run one after the other, the
   * newest first, in a shield. If one fails, the others still run, and the scope fails with a `CompensationError` that holds all
   * errors.
   *
   * @param body Undoes the work, by activities of the context that it gets, or of the one around it.
   * @param options The name in the history.
   */
  addCompensation(body: (ctx: WorkflowContext) => unknown, options?: CompensationOptions): void;
  /**
   * Calls `body` for every item, at most `limit` at a time. The calls begin in the order of the items.
   *
   * @param items The items.
   * @param limit Maximum number of calls in flight; a positive integer.
   * @param body What to do with an item.
   * @returns The results, in the order of the items.
   * @throws The first failure, after the calls in flight have ended. No call begins after a failure.
   */
  mapConcurrent<Item, Result>(
    items: Iterable<Item>,
    limit: number,
    body: (item: Item, index: number) => Result | PromiseLike<Result>,
  ): Promise<Result[]>;
  /**
   * Runs another workflow as a child of this one and returns its result. A cancellation of this workflow reaches the child.
   *
   * @param workflow The function.
   * @param args Its input and the options.
   * @returns The stored result.
   * @throws What the child throws; a `CanceledError` if the child was cancelled.
   */
  executeChild<ChildInput, Returned>(
    workflow: WorkflowFunction<ChildInput, Returned>,
    ...args: InputArgs<ChildInput, ChildOptions>
  ): Promise<DeepReadonly<Awaited<Returned>>>;
  /**
   * Starts another workflow as a child of this one and returns a handle at once.
   *
   * @param workflow The function.
   * @param args Its input and the options.
   * @throws {TypeError} If an argument is invalid, an option is unknown, or the input cannot be stored.
   */
  startChild<ChildInput, Returned>(
    workflow: WorkflowFunction<ChildInput, Returned>,
    ...args: InputArgs<ChildInput, ChildOptions>
  ): ChildHandle<DeepReadonly<Awaited<Returned>>>;
  /**
   * Sends a signal to another workflow. It is a command: the signal is stored once, also over restarts and over
   * `continueAsNew` of the receiver, with the ID of this workflow as its `senderId`. If the receiver is a child that is being
   * started, the call waits for the child.
   *
   * The run ends, or continues as new, only when its messages are sent, also those that nobody awaits. A message is not sent if
   * its scope is cancelled first, or if it is for a child that ends with the run.
   *
   * If the store keeps failing, this run is suspended, as it is for its own events: nobody knows whether the signal is stored.
   *
   * @param id The receiver's workflow ID.
   * @param signal The signal's name or definition.
   * @param args The payload, which can be left out if the definition allows it, and the options.
   * @returns When the signal is stored. The receiver may read it later.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended.
   * @throws {TypeError} If an argument is bad or the payload cannot be stored.
   * @throws {RangeError} If the payload is larger than `maxPayloadBytes`.
   */
  signalWorkflow<Payload = unknown>(
    id: string,
    signal: string | SignalDefinition<Payload>,
    ...args: InputArgs<NoInfer<DeepReadonly<Payload>>, MessageOptions>
  ): Promise<void>;
  /**
   * Cancels another workflow. It is a command: the request is stored once, as that of
   * {@linkcode WorkflowContext.signalWorkflow}.
   *
   * @param id The workflow's ID.
   * @param reason The reason, for the history and the error.
   * @returns When the request is stored. The workflow may clean up after that.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended without a cancellation.
   * @throws {TypeError} If an argument is bad.
   */
  cancelWorkflow(id: string, reason?: string): Promise<void>;
  /**
   * Changes labels of the run, by which lists find it: `store.list({ labels: { stage: "paid" } })`. It is a command, and nothing
   * waits for it: the change is stored before what follows is performed. {@linkcode WorkflowContext.labels} has it at once.
   *
   * It is no wait: it works in a cancelled run too. The next run of a chain begins with the labels of this one. Children have
   * their own.
   *
   * @param changes Labels to add or to replace, by name; `null` removes one. The others stay.
   * @throws {TypeError} If a label is not a string or `null`, or in a query handler, a validation or a side effect.
   * @throws {RangeError} If all labels together are larger than `maxPayloadBytes`.
   *
   * @example
   * ```ts
   * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const charge = () => {};
   * async function order(ctx: WorkflowContext) {
   *   await ctx.executeActivity(charge);
   *   ctx.setLabels({ stage: "paid", cart: null });
   * }
   *
   * const store = new InMemoryStore();
   * await using executor = new Executor({ store });
   * await (await executor.execute(order, { id: "order-7", labels: { customer: "ada", cart: "9" } })).result();
   * const [paid] = await store.list({ labels: { stage: "paid" } });
   * assertEquals([paid.workflowId, paid.labels], ["order-7", { customer: "ada", stage: "paid" }]);
   * ```
   */
  setLabels(changes: Readonly<Record<string, string | null>>): void;
  /**
   * Ends this run and starts the workflow again with another input, under the same ID, with a new history. Use it for
   * workflows that never end. Signals that nobody has read are carried over; timers and activities in flight are not. The
   * handles of the workflow wait for the end of the whole chain. A `timeoutMs` of the workflow covers the whole chain.
   *
   * It ends the run from every scope, and undoes nothing. In a cancelled run it rejects with the reason, as all waits do, and a
   * shield protects it: the next run begins cancelled, unless `canceled: false` says that this one has dealt with the cancellation.
   * If the run has not seen the cancellation yet, the next run begins cancelled. It rejects too once the run has failed: in a
   * compensation of the run, or after a spawned branch has failed.
   *
   * With the option `workflow`, the next run is one of another workflow, which has its name and gets its input.
   *
   * A workflow that calls this method declares its context as `WorkflowContext<Input>`, or as `WorkflowContext<void>` if it
   * has no input. (A property, because the compiler compares the parameters of a method less strictly.)
   *
   * @param input The input of the next run.
   * @param options Another workflow; and whether a cancellation is carried over.
   * @returns Never: no code after it runs. It rejects if the run is cancelled or has failed.
   * @throws {TypeError} If the input cannot be stored, or an option is bad or unknown.
   */
  readonly continueAsNew: {
    <Next>(input: Next & Defined | undefined, options: ContinueAsOptions<Next>): Promise<never>;
    (...args: ContinueArgs<Input, ContinueAsNewOptions>): Promise<never>;
  };
  /**
   * Returns whether this run takes the new path of a change in the workflow's code. `true` in a run that reached this call
   * with the new code; `false` in a run whose history goes further and was made by the old code. The answer is the same for
   * the whole run.
   *
   * @param changeId Names the change.
   *
   * @example
   * ```ts
   * import type { WorkflowContext } from "@rockpool/workflow";
   *
   * const charge = () => "charged";
   * const reserve = () => "reserved";
   * export async function order(ctx: WorkflowContext) {
   *   if (ctx.patched("reserve-first")) await ctx.executeActivity(reserve);
   *   await ctx.executeActivity(charge);
   * }
   * ```
   */
  patched(changeId: string): boolean;
}

/**
 * The context of a scope, a shield or a spawned branch.
 *
 * @category Workflow code
 */
export interface ScopeContext<Input = never> extends WorkflowContext<Input> {
  /** Is aborted when the scope is cancelled. */
  readonly signal: AbortSignal;
  /**
   * Cancels the scope: its open and new waits reject with a `CanceledError`. Does nothing if it is cancelled or has ended.
   *
   * @param reason The reason, for the error.
   * @throws {TypeError} If `reason` is no text, or in a query handler, a validation or a side effect.
   */
  cancel(reason?: string): void;
}

/**
 * Options of {@linkcode WorkflowContext.scope}, {@linkcode WorkflowContext.shield} and {@linkcode WorkflowContext.spawn}.
 *
 * @category Workflow code
 */
export interface ScopeOptions {
  /**
   * How long the scope may take, in milliseconds, from 0. Then it is cancelled with a `TimeoutError`. A restart does not
   * extend it.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether the wait for an activity or a child that is cancelled settles with its real outcome, and the scope ends after it.
   * Otherwise that wait rejects at once, and the outcome is dropped. A child with the `parentClosePolicy` `"abandon"` is not
   * waited for.
   *
   * An activity that runs has its `signal` aborted, and no further attempt. One that has not begun, or waits for its next
   * attempt, fails at once with the reason. If the process ends meanwhile, what may have begun runs again, with its `signal`
   * aborted from the start. An activity that ignores its `signal` and has no `timeoutMs` holds up the scope:
   * `Executor.openRuns()` names it.
   *
   * @default {that of the scope around it, else false}
   */
  readonly waitForCanceled?: boolean | undefined;
}

/**
 * Receives log lines with searchable fields, such as `console`. An executor adds `workflowId`, `runId` and `workflowName` to
 * the fields of its workflows.
 *
 * @category Workflow code
 */
export interface WorkflowLogger {
  /** Logs details for debugging. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs normal operation. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs a possible problem. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs an error. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * Options of {@linkcode WorkflowContext.executeChild} and {@linkcode WorkflowContext.startChild}.
 *
 * @category Workflow code
 */
export interface ChildOptions {
  /**
   * The child's workflow ID; a non-empty string.
   *
   * @default {the run's ID and the command's position}
   */
  readonly id?: string | undefined;
  /**
   * How long an attempt of the child may take, in milliseconds, above 0. Then it fails with a `TimeoutError`.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * When and how often the child is started again after it has failed: under the same ID and with the same input, as a new
   * run, which gets none of the signals of the failed one. It is not started again after a cancellation or a termination, nor
   * once this run has ended.
   *
   * @default {no retry}
   */
  readonly retry?: RetryPolicy | undefined;
  /**
   * What happens to the child if it is running when this run ends: `"cancel"`, `"terminate"`, or `"abandon"`, which lets it
   * continue. A cancellation of this workflow does not reach an abandoned child.
   *
   * @default {"cancel"}
   */
  readonly parentClosePolicy?: ParentClosePolicy | undefined;
  /**
   * Headers of the child. It also gets the headers of this run; those given here take precedence.
   *
   * @default {those of this run}
   */
  readonly headers?: CallHeaders | undefined;
}

/**
 * Options of {@linkcode WorkflowContext.signalWorkflow} and {@linkcode ChildHandle.signal}.
 *
 * @category Workflow code
 */
export interface MessageOptions {
  /**
   * Headers of the signal. It also gets the headers of this run; those given here take precedence.
   *
   * @default {those of this run}
   */
  readonly headers?: CallHeaders | undefined;
}

/**
 * Gives a parent access to a child workflow.
 *
 * @category Workflow code
 */
export interface ChildHandle<Result = unknown> {
  /** The child's workflow ID. */
  readonly id: string;
  /**
   * Resolves when the child has begun: its first event is stored. A workflow that never reads it pays nothing; the first read
   * lets the parent record it.
   *
   * Rejects if the child does not begin: with a `WorkflowError`, whose code is `already_running` if another workflow has its ID;
   * with a `CanceledError` if it was cancelled before. If the wait is cancelled, it rejects with the reason.
   */
  readonly started: Promise<void>;
  /** Waits for the child and returns its result. It can be called any number of times. */
  result(): Promise<Result>;
  /**
   * Sends a signal to the child, as {@linkcode WorkflowContext.signalWorkflow} does, but to no other workflow of its ID.
   *
   * @param signal The signal's name or definition.
   * @param args The payload, which can be left out if the definition allows it, and the options.
   * @throws {WorkflowError} With code `not_found` if the child has ended.
   */
  signal<Payload = unknown>(
    signal: string | SignalDefinition<Payload>,
    ...args: InputArgs<NoInfer<DeepReadonly<Payload>>, MessageOptions>
  ): Promise<void>;
  /**
   * Cancels the child, as {@linkcode WorkflowContext.cancelWorkflow} does, but no other workflow of its ID.
   *
   * @param reason The reason, for the history and the error.
   * @throws {WorkflowError} With code `not_found` if the child has ended without a cancellation.
   */
  cancel(reason?: string): Promise<void>;
}

/**
 * Options of {@linkcode WorkflowContext.handleUpdate}.
 *
 * @category Workflow code
 */
export interface UpdateHandlerOptions<Input = unknown> {
  /**
   * Throws if the input is refused. It is called before the update is accepted, and not on replay. It may read the workflow's
   * variables, but not change them.
   *
   * @default {only the validation of the definition}
   */
  readonly validate?: ((input: DeepReadonly<Input>) => void) | undefined;
}

/**
 * Options of {@linkcode WorkflowContext.waitForSignal} and {@linkcode WorkflowContext.waitUntil}.
 *
 * @category Workflow code
 */
export interface WaitOptions {
  /**
   * How long to wait, in milliseconds, from 0. A restart does not extend it.
   *
   * @default {no limit}
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * A signal, as its receiver sees it.
 *
 * @category Workflow code
 */
export interface ReceivedSignal<Payload = unknown> {
  /** The signal's name. */
  readonly name: string;
  /** The payload. */
  readonly payload: DeepReadonly<Payload>;
  /** The sender, if the sender gave its ID. Another workflow's ID if that workflow sent the signal. */
  readonly senderId: string | undefined;
  /** When it was sent, in milliseconds since the epoch. */
  readonly sentAt: number;
  /** Identifies the signal. */
  readonly signalId: string;
  /** The headers; empty if it has none. A signal of another workflow has the headers of its run too. */
  readonly headers: CallHeaders;
}

/**
 * An update, as its handler sees it.
 *
 * @category Workflow code
 */
export interface ReceivedUpdate {
  /** The update's name. */
  readonly name: string;
  /** Identifies the request. */
  readonly updateId: string;
  /** The headers; empty if it has none. */
  readonly headers: CallHeaders;
}

/**
 * Options of {@linkcode WorkflowContext.addCompensation}.
 *
 * @category Workflow code
 */
export interface CompensationOptions {
  /**
   * The name in the history; a non-empty string. Pictures call one that is `anonymous` by the activity or child with which it begins.
   *
   * @default {the function's name, or "anonymous"}
   */
  readonly name?: string | undefined;
}
