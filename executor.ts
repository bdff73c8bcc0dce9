/**
 * The executor: runs workflow functions durably inside one process.
 *
 * `Requests` checks the calls to a workflow, and wraps them with middleware. The supervisor owns which runs are live, and how they
 * end. The executor knows only the port of its store, `WorkflowStore`.
 *
 * 1. A call resolves only after its effect is stored: a started run, a signal, a cancellation, a result.
 * 2. A closed executor loses nothing: another one on the same store resumes its runs with `recover()`.
 * 3. Without live runs and pending calls an executor holds nothing: no timer, no subscription, no pending task. A dormant run
 *    is live.
 *
 * @example
 * ```ts
 * import { Executor, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const double = (n: number) => 2 * n;
 * async function sum(ctx: WorkflowContext, input: { a: number; b: number }) {
 *   return await ctx.executeActivity(double, input.a) + await ctx.executeActivity(double, input.b);
 * }
 *
 * await using executor = new Executor();
 * const handle = await executor.execute(sum, { id: "sum-1", input: { a: 1, b: 2 } });
 * assertEquals(await handle.result(), 6);
 * ```
 *
 * @module
 */

import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "./definitions.ts";
import type {
  CloseOptions,
  Described,
  DescribeOptions,
  ExecuteArgs,
  ExecuteOptions,
  ExecutorOptions,
  OpenRun,
  SignalOptions,
  UpdateOptions,
  WorkOptions,
} from "./options.ts";
import { InMemoryStore } from "./store.ts";
import type { DeepReadonly, WorkflowState } from "./types.ts";
import type { InputArgs, Workflow, WorkflowFunction } from "./context.ts";
import { cannot, checkArray, checkNumber, checkObject, checkOptions, checkText, noOptions } from "./util/check.ts";
import { Deferred, quiet } from "./util/deferred.ts";
import { randomId } from "./util/prng.ts";
import { show } from "./util/show.ts";
import { fromErrorRecord, toErrorRecord } from "./history/error_record.ts";
import { validateState } from "./history/validate.ts";
import type { WorkflowHandle } from "./run/handle.ts";
import { Requests } from "./run/requests.ts";
import { completeOptions, type Settings, validateWork } from "./run/settings.ts";
import type { Supervisor } from "./run/supervisor.ts";

export type { WorkflowHandle };
export { type HistoryReplay, type RepeatedCommand, replayHistory } from "./run/read_only.ts";

/** The error of a start, with the workflow's ID in it. */
function withId(id: string, error: unknown): unknown {
  const record = toErrorRecord(error);
  const message = `${cannot("execute workflow", id)}: ${record.message}`;
  return record.message.includes(show(id)) ? error : fromErrorRecord({ ...record, message });
}

/** An executor works with `await using`. */
export interface Executor {
  /** The same as {@linkcode Executor.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Runs workflows.
 *
 * Await every call: the error of a call that nobody awaits is lost. It does not end the process.
 *
 * @category Executor
 */
export class Executor {
  readonly #settings: Settings;
  readonly #requests: Requests;
  readonly #supervisor: Supervisor;

  /**
   * Creates an executor. It does nothing until it is called.
   *
   * @param options The options. Without a store it takes a new `InMemoryStore`.
   * @throws {TypeError} If an option is of the wrong kind, or has a name that no option has.
   * @throws {RangeError} If a number among the options or in `storeRetry` is out of its range.
   */
  constructor(options: ExecutorOptions = {}) {
    // Assigned, not a method: with a computed method name, bundlers cannot drop the class. A subclass may have the method.
    this[Symbol.asyncDispose] ??= () => this.close();
    this.#settings = completeOptions(options, () => new InMemoryStore());
    this.#requests = new Requests(this.#settings);
    this.#supervisor = this.#requests.supervisor;
  }

  /**
   * Starts a workflow. A finished workflow of the same ID is replaced by the new run, unless `reuse` says otherwise.
   *
   * @param workflow The function. Its name in the history is the one it is registered under, or else its own name.
   * @param args The options.
   * @returns A handle, once the start is stored.
   * @throws {WorkflowError} With code `already_running` if a workflow of the ID is running and `onConflict` is `"reject"`,
   * `already_finished` if one has finished and `reuse` does not allow a new run, `not_found` if it joins a finished one that
   * takes no `signals`, `store_failed` if the store keeps failing, `closed` if the executor was closed.
   * @throws {TypeError} If an argument is bad or the input cannot be stored.
   * @throws {RangeError} If a time among the options is out of its range, or the input is larger than `maxPayloadBytes`.
   */
  // deno-lint-ignore no-explicit-any -- signals of any payload
  execute<Input, Returned, Signals extends readonly unknown[] = readonly any[]>(
    workflow: WorkflowFunction<Input, Returned>,
    ...args: ExecuteArgs<Input, Signals>
  ): Promise<WorkflowHandle<DeepReadonly<Awaited<Returned>>>> {
    try {
      const [options = noOptions as ExecuteOptions] = args as [ExecuteOptions?];
      checkObject("options", options, "execute workflow");
      const { id = randomId() } = options;
      return this.#requests.execute(workflow as Workflow<never>, id, options) as Promise<never>;
    } catch (error) {
      return Deferred.rejected(error); // a bad argument; `Requests` makes the others quiet
    }
  }

  /**
   * Starts many workflows of one function at once, each as {@linkcode execute} does.
   *
   * @param workflow The function.
   * @param options The options of each.
   * @returns A handle for each, in order, once all are stored.
   * @throws {AggregateError} If some could not be started; the others are. Its `errors` are those of `execute`, in order, and
   * name the IDs.
   * @throws {TypeError} If `options` is no array.
   */
  executeMany<Input, Returned>(
    workflow: WorkflowFunction<Input, Returned>,
    options: readonly NonNullable<ExecuteArgs<Input>[0]>[],
  ): Promise<WorkflowHandle<DeepReadonly<Awaited<Returned>>>[]> {
    return quiet((async () => {
      checkArray("options", options, "execute workflows");
      const errors: unknown[] = [];
      const handles = await Promise.all(Array.from(options, async (one: ExecuteOptions, i) => { // also at a hole
        let id = `options[${i}]`; // if they cannot be read
        try {
          checkObject(id, one, "execute workflow");
          id = one.id ?? randomId();
          return await this.execute(workflow as Workflow, { ...one, id });
        } catch (error) {
          errors[i] = withId(id, error);
        }
      }));
      const failed = errors.flat(); // without the holes
      if (failed.length === 0) return handles as WorkflowHandle<DeepReadonly<Awaited<Returned>>>[];
      throw new AggregateError(failed, `Cannot execute ${failed.length} of ${options.length} workflows; see "errors"`);
    })());
  }

  /**
   * Sends a signal to a running workflow, whichever executor runs it.
   *
   * @param id The workflow's ID.
   * @param signal The name that the workflow receives it under, or its definition.
   * @param args The payload, and the options.
   * @returns When the signal is stored. The workflow may read it later.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `store_failed` if the store keeps
   * failing; `closed` if the executor was closed. Without a `signalId`, `conflict` if the store failed and the workflow was
   * continued by another run before it was known whether the signal is stored.
   * @throws {TypeError} If an argument is bad or the payload cannot be stored.
   * @throws {RangeError} If the payload is larger than `maxPayloadBytes`.
   */
  signal<Payload = unknown>(
    id: string,
    signal: string | SignalDefinition<Payload>,
    ...args: InputArgs<NoInfer<DeepReadonly<Payload>>, SignalOptions>
  ): Promise<void> {
    return this.#requests.signal({ id }, signal, args[0], args[1]);
  }

  /**
   * Asks a workflow, running or finished, a question. A live one answers from its variables, once it has seen everything that
   * this executor knows to be stored. Any other is replayed for the answer, which changes nothing.
   *
   * Every workflow answers the query `"handlers"`: with the names of what its code handles; see `WorkflowHandlers`.
   *
   * @param id The workflow's ID.
   * @param query What the workflow handles by `ctx.handleQuery`, or `"handlers"`.
   * @param args The arguments of the handler.
   * @returns A copy of what the handler answered.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, it has no such handler, or its code has not
   * begun; `unknown_workflow` if its code is not known here; `non_deterministic` if its code does not do what its history
   * says; `store_failed` or `closed` if its history cannot be read.
   * @throws {TypeError} If an argument or the answer cannot be stored.
   * @throws What the handler throws.
   */
  query<Result = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    id: string,
    query: string | QueryDefinition<Result, Args>,
    ...args: Args
  ): Promise<DeepReadonly<Result>> {
    return this.#requests.query({ id }, query, args) as Promise<DeepReadonly<Result>>;
  }

  /**
   * Asks a run a question as {@linkcode query} does, by its state. The state need not be in the store, and may be that of a running
   * run after any number of its events. The run is replayed for the answer: nothing is performed and nothing is written.
   *
   * @param state The state, for example of `stateAt` in `@rockpool/workflow/storage`.
   * @param query What the workflow handles by `ctx.handleQuery`, or `"handlers"`.
   * @param args The arguments of the handler.
   * @returns A copy of what the handler answered.
   * @throws {WorkflowError} With code `not_found` if the code has no such handler there, or has not begun; `unknown_workflow` if it is
   * not known here; `invalid_history` if the history is malformed; `non_deterministic` if the code does not do what it says.
   * @throws {TypeError} If an argument is bad, or an argument of the handler or its answer cannot be stored.
   * @throws What the handler throws.
   */
  queryState<Result = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    state: WorkflowState,
    query: string | QueryDefinition<Result, Args>,
    ...args: Args
  ): Promise<DeepReadonly<Result>> {
    return quiet((async () => {
      checkObject("state", state, "query workflow");
      const { history, ...fields } = state;
      validateState(fields, history, "query workflow");
      return await this.#requests.query({ id: state.workflowId }, query, args, state) as DeepReadonly<Result>;
    })());
  }

  /**
   * Asks a workflow to do something, and returns its result, whichever executor runs the workflow. The answer is stored before
   * it is returned. If the history holds the answer to the same `updateId` already, that answer is returned, also if the
   * workflow has ended.
   *
   * The update waits until the workflow has a handler for it. Then the input is validated, and if it is valid, the update is
   * accepted and the handler runs. If the workflow is not live here, the update is sent through the store; it waits until an
   * executor runs the workflow. To give up, use the option `signal`.
   *
   * @param id The workflow's ID.
   * @param update What the workflow handles by `ctx.handleUpdate`.
   * @param args The input of the handler, and the options.
   * @returns What the handler returned, as it is stored.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, or it ends without such a handler or before it
   * has answered, with the error of a failed workflow as its `cause`; `unsupported` if it is not live here and the store does not report changes; `store_failed` if the store keeps
   * failing; `closed` if the executor was closed.
   * @throws {TypeError} If an argument is bad or cannot be stored.
   * @throws What the validation or the handler throws; the reason of `signal`.
   */
  update<Result = unknown, Input = unknown>(
    id: string,
    update: string | UpdateDefinition<Result, Input>,
    ...args: InputArgs<NoInfer<DeepReadonly<Input>>, UpdateOptions>
  ): Promise<DeepReadonly<Result>> {
    return this.#requests.update({ id }, update, args[0], args[1]) as Promise<DeepReadonly<Result>>;
  }

  /**
   * Asks a workflow to end: its waits reject with a `CanceledError`. A second request is a no-op. If its code catches the
   * errors and waits again, 100,000 times without an event in between, the run ends as canceled and its compensations run.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When the request is stored. The workflow may still be cleaning up.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `store_failed` if the store
   * keeps failing; `closed` if the executor was closed.
   * @throws {TypeError} If `reason` is not a string.
   */
  cancel(id: string, reason?: string): Promise<void> {
    return this.#requests.cancel({ id }, reason);
  }

  /**
   * Ends a workflow without its consent, in any executor, also if no executor runs it. Its code does not run any more, and
   * neither do its cleanup and its compensations; the signals of its activities are aborted. It ends `canceled`, and its
   * handles reject with code `terminated`.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When the end is stored.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `store_failed` if the store
   * keeps failing; `closed` if the executor was closed.
   * @throws {TypeError} If `reason` is not a string.
   */
  terminate(id: string, reason?: string): Promise<void> {
    return this.#requests.terminate({ id }, reason);
  }

  /**
   * Describes a workflow, running or finished: its status, input, result, labels and times, and what it waits for if it is
   * live here.
   *
   * @param id The workflow's ID.
   * @param options `history: true`: with its history.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow; `store_failed` or `closed` if its state cannot
   * be read.
   * @throws {TypeError} If an argument is bad.
   *
   * @example
   * ```ts
   * import { Executor } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * await using executor = new Executor();
   * await executor.execute((ctx) => ctx.waitForSignal("go"), { id: "a" });
   * const { status, historyLength } = await executor.describe("a");
   * assertEquals([status, historyLength], ["running", 1]);
   * ```
   */
  describe<Options extends DescribeOptions = DescribeOptions>(
    id: string,
    options?: Options,
  ): Promise<Described<Options>> {
    return this.#requests.describe({ id }, options) as Promise<Described<Options>>;
  }

  /**
   * Returns a handle to the stored run of a workflow, whether this process or an earlier one started it.
   *
   * @param id The workflow's ID.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow; `store_failed` or `closed` if its state cannot
   * be read.
   * @throws {TypeError} If `id` is not a string, or empty.
   */
  handle<Result = unknown>(id: string): Promise<WorkflowHandle<DeepReadonly<Result>>> {
    return quiet((async () => {
      checkText("id", id, "find workflow");
      this.#supervisor.timing.turns.call();
      return this.#supervisor.handle(await this.#supervisor.delivery.head("find", { id }));
    })());
  }

  /**
   * Resumes every running workflow of the store that is not live here: replays its history, then performs what is open in it,
   * once the store has confirmed that nothing was added since it was read. With leases (`leaseMs`), those that no living executor
   * owns. If others are running, it looks once more after `leaseMs`, when it is known which owners are dead: these runs have no
   * handle here. {@linkcode work} looks again and again.
   * An activity that started and did not finish runs again; an `atMostOnce` activity fails instead. Without leases, for a workflow
   * that is live here, performs what another executor started: call it when that executor is gone.
   *
   * @returns A handle for each workflow that was not live here, in order of creation. A workflow that cannot be resumed is
   * left unchanged: its handle rejects with code `unknown_workflow` or `invalid_history`, and `onError` is called.
   * @throws {WorkflowError} With code `closed` or `store_failed`.
   */
  recover(): Promise<WorkflowHandle[]> {
    this.#supervisor.timing.turns.call();
    return quiet(this.#supervisor.recovery.recover());
  }

  /**
   * Takes running workflows of the store that have no living owner and are due, and resumes them as {@linkcode recover} does:
   * at once, and from then on until the executor is closed. So the workflows of a process that died continue in the others. It
   * takes only workflows whose code is known here. It needs leases, which a store that processes share has.
   *
   * @param options How often to look, how many runs to take, when to end.
   * @returns When the work has ended: the executor is closed, or `signal` is aborted.
   * @throws {WorkflowError} With code `unsupported` if the executor has no leases; `closed` if it was closed before.
   * @throws {TypeError | RangeError} If an option is unknown or out of its range, `work()` is in progress already, or the executor
   * has no workflows.
   *
   * @example
   * ```ts
   * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
   * import { assertEquals } from "@std/assert";
   *
   * const store = new InMemoryStore();
   * const order = (ctx: WorkflowContext) => ctx.waitForSignal("paid");
   * const first = new Executor({ store, leaseMs: 10_000 });
   * await first.execute(order, { id: "order-1" });
   * await first.close(); // it gives its workflows back
   *
   * await using second = new Executor({ store, leaseMs: 10_000, workflows: { order } });
   * const work = second.work();
   * await second.signal("order-1", "paid", 12);
   * assertEquals(await (await second.handle("order-1")).result(), 12);
   * await second.close();
   * await work;
   * ```
   */
  work(options: WorkOptions = noOptions): Promise<void> {
    try {
      validateWork(options);
      this.#supervisor.timing.turns.call();
      const { maxConcurrentWorkflows: maxRuns } = this.#settings;
      return quiet(this.#supervisor.work(maxRuns === undefined ? options : { maxRuns, ...options }));
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  /**
   * Lists the runs that are live here, in the order in which they became live, and what each waits for. Calls neither the
   * store nor workflow code. The answer is a snapshot.
   */
  openRuns(): OpenRun[] {
    return Array.from(this.#supervisor.liveRuns.values(), (run) => {
      const { workflowId, runId, workflowName } = run;
      return { workflowId, runId, workflowName, waitsFor: run.waitsFor() };
    });
  }

  /**
   * Closes the executor: nothing is started or sent any more, and no workflow code runs. Live runs stay as they are stored,
   * for `recover()`. Waits up to `drainMs` for running activities, then aborts them; the handles of live runs reject with code
   * `closed`. Further calls return the same promise.
   *
   * @param options How long to wait for activities.
   * @returns When no event is on its way into the store any more.
   * @throws {TypeError} If `options` is no object, or has a name that no option has; then the executor stays open.
   * @throws {RangeError} If `drainMs` is not a finite number from 0; then the executor stays open.
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkOptions(options, { drainMs: true }, "close executor");
      const { drainMs = 0 } = options;
      checkNumber("drainMs", drainMs, 0, "close executor");
      return quiet(this.#supervisor.close(drainMs));
    } catch (error) {
      return Deferred.rejected(error);
    }
  }
}
