/**
 * The executor: runs workflow functions durably inside one process.
 *
 * Owns the runs that are live here. Knows of the store no more than its port.
 *
 * 1. What a caller is told is stored first: a started run, a signal, a cancellation, a result.
 * 2. A stopped executor loses nothing: another one on the same store goes on with `recover()`.
 * 3. Without live runs it holds nothing: no timer, no subscription, no pending task. A parked run counts as live.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const double = (n: number) => 2 * n;
 * async function sum(ctx: WorkflowContext, input: { a: number; b: number }) {
 *   return await ctx.executeActivity(double, input.a) + await ctx.executeActivity(double, input.b);
 * }
 *
 * await using executor = new Executor({ store: new InMemoryStore() });
 * const handle = await executor.execute(sum, { id: "sum-1", input: { a: 1, b: 2 } });
 * assertEquals(await handle.result(), 6);
 * ```
 *
 * @module
 */

import { WorkflowError } from "./errors.ts";
import { applyMiddleware, type MiddlewareCall, type RunInfo } from "./hooks.ts";
import type { QueryDefinition, UpdateDefinition } from "./definitions.ts";
import type {
  ChildStartedEvent,
  InputArgs,
  Labels,
  UpdateCompletedEvent,
  Workflow,
  WorkflowContext,
  WorkflowEvent,
  WorkflowStartedEvent,
  WorkflowState,
} from "./types.ts";
import {
  cannot,
  checkLabels,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkText,
  definedName,
  invalid,
} from "./util/check.ts";
import { createRun } from "./run/create.ts";
import { fromErrorRecord, toErrorRecord } from "./history/error_record.ts";
import { Handles, type WorkflowHandle } from "./run/handle.ts";
import { lookAt } from "./run/read_only.ts";
import type { OpenRun, Wait } from "./run/waits.ts";
import type {
  AnyActivity,
  CloseOptions,
  ExecuteArgs,
  ExecuteOptions,
  ExecutorOptions,
  QueryAnswers,
  ReplaceActivity,
  Signal,
  UpdateOptions,
} from "./options.ts";
import { completeOptions, validateExecution } from "./run/settings.ts";
import { isChildOf, Outside } from "./run/delivery.ts";
import { RetryingStore } from "./run/retrying_store.ts";
import { type ParkedHost, ParkedRun, Parking } from "./run/dormant.ts";
import type { Chain, LiveRun } from "./run/live.ts";
import { Run } from "./run/run.ts";
import { type Timer, Timers } from "./run/timers.ts";
import { Turns } from "./run/turns.ts";
import { handOut, toStored } from "./history/value.ts";
import { show } from "./util/show.ts";

export type {
  AnyActivity,
  CloseOptions,
  ExecuteArgs,
  ExecuteOptions,
  ExecutorOptions,
  OpenRun,
  QueryAnswers,
  ReplaceActivity,
  Signal,
  UpdateOptions,
  Wait,
  WorkflowHandle,
};

export { type HistoryReplay, replayHistory } from "./run/read_only.ts";

/** The error of a start that names the workflow's ID. */
function naming(id: string, error: unknown): unknown {
  const record = toErrorRecord(error);
  const message = `${cannot("execute workflow", id)}: ${record.message}`;
  return record.message.includes(show(id)) ? error : fromErrorRecord({ ...record, message });
}

function closedError(): WorkflowError {
  return new WorkflowError("closed", "The executor was closed; what is stored goes on with recover()");
}

function copyLabels(labels: Labels, id: string): Labels {
  const copy = toStored(labels, "labels") as Labels;
  checkLabels(copy, "execute workflow", id);
  return copy;
}

/** What every workflow is asked for without a handler. */
const known: Record<keyof QueryAnswers, true> = { status: true, input: true, history: true, state: true };

/** An executor works with `await using`. */
export interface Executor {
  /** The same as {@linkcode Executor.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Runs workflows. */
export class Executor {
  readonly #host: ParkedHost;
  readonly #workflows = new Map<string, Workflow<never>>();
  readonly #names = new Map<unknown, string>();
  /** The live runs, by workflow ID. */
  readonly #runs = new Map<string, LiveRun>();
  readonly #handles: Handles;
  readonly #outside: Outside;
  readonly #signalPrefix = crypto.randomUUID();
  #signals = 0;
  #closed: Promise<void> | undefined;

  /**
   * Makes an executor. It does nothing until it is asked to.
   *
   * @param options Only the store must be given.
   * @throws {TypeError} If an option is of the wrong kind.
   * @throws {RangeError} If a number among the options or in `storeRetry` is out of its range.
   */
  constructor(options: ExecutorOptions) {
    // No method: a packer moves a computed method's key out of the class, and bundlers keep that class. A subclass may have one.
    this[Symbol.asyncDispose] ??= () => this.close();
    const { store, workflows, storeRetry, parkAfterMs, ...rest } = completeOptions(options);
    const { clock, random } = rest;
    for (const [name, workflow] of Object.entries(workflows)) {
      this.#workflows.set(name, workflow);
      this.#names.set(workflow, name);
    }
    const turns = new Turns(clock);
    const timers = new Timers(clock, turns);
    const retrying = new RetryingStore(store, storeRetry, { clock, timers, turns, random });
    this.#handles = new Handles(retrying, this.#runs);
    const ended = (run: LiveRun) => {
      if (this.#runs.get(run.workflowId) === run) this.#runs.delete(run.workflowId);
      this.#handles.listen();
      if (run.chain.latest === run) this.#tellParent(run);
    };
    const begin = (run: Run, started: WorkflowEvent) => {
      this.#begin(run, started);
      run.told(null); // others may have written to it already
    };
    const parking = parkAfterMs === undefined ? undefined : new Parking(
      clock,
      turns,
      parkAfterMs,
      (run, parked) => void this.#runs.set(run.workflowId, new ParkedRun(this.#host, run, parked)),
    );
    this.#host = {
      ...{ ...rest, store: retrying, timers, turns, parking, ended, begin },
      woken: (run) => void this.#runs.set(run.workflowId, run),
      isHere: (id) => this.#outside.isHere(id),
      nameOf: (workflow) => this.#nameOf(workflow),
      startChild: (parent, event, workflow) => this.#startChild(parent, event, workflow),
      closeChild: (parent, event) => void this.#outside.closeChild(parent, event),
      reachChild: (request, attempt, isComing) => this.#outside.reachChild(request, attempt, isComing),
    };
    const assertOpen = (verb: string, id?: string) => this.#assertOpen(verb, id);
    this.#outside = new Outside({ ...this.#host, assertOpen }, this.#handles);
  }

  /**
   * Starts a workflow. A finished workflow of the same ID is replaced by the new run, unless `reuse` says otherwise.
   *
   * @param workflow The function. Its name in the history is the one it is registered under, or else its own.
   * @param args The options.
   * @returns A handle, once the start is stored.
   * @throws {WorkflowError} With code `already_running` if the ID is that of a running workflow and `onConflict` says no
   * otherwise, `already_finished` if it is that of a finished one and `reuse` is `"reject"`, `store_failed` if the store
   * keeps failing, `closed` if the executor was closed.
   * @throws {TypeError} If an argument is bad or the input cannot be stored.
   * @throws {RangeError} If a time among the options is out of its range, or the input is larger than `maxPayloadBytes`.
   */
  execute<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    ...args: ExecuteArgs<Input>
  ): Promise<WorkflowHandle<Awaited<Output>>> {
    const options = args[0] ?? {};
    if (typeof options !== "object") {
      return Promise.reject(invalid("options", options, "an object", "execute workflow"));
    }
    const { id = crypto.randomUUID() } = options;
    const start = () => this.#execute(workflow as Workflow<never>, id, options);
    return this.#call({ kind: "execute", workflowId: id }, start) as Promise<never>;
  }

  /**
   * Starts many workflows of one kind at once, each as {@linkcode execute} does.
   *
   * @param workflow The function.
   * @param options The options of each.
   * @returns A handle for each, in order, once all are stored.
   * @throws {AggregateError} If some could not be started: the others are. Its `errors` are those of `execute`, in order, and
   * name the IDs.
   * @throws {TypeError} If `options` is no array.
   */
  async executeMany<Input, Output>(
    workflow: (ctx: WorkflowContext, input: Input) => Output,
    options: readonly NonNullable<ExecuteArgs<Input>[0]>[],
  ): Promise<WorkflowHandle<Awaited<Output>>[]> {
    if (!Array.isArray(options)) throw invalid("options", options, "an array", "execute workflows");
    const errors: unknown[] = [];
    const handles = await Promise.all(options.map(async (one: ExecuteOptions, i) => {
      const id = one?.id ?? crypto.randomUUID();
      try {
        return await this.execute(workflow as Workflow, typeof one === "object" ? { ...one, id } : one);
      } catch (error) {
        errors[i] = naming(id, error);
      }
    }));
    const failed = errors.flat(); // without the holes
    if (failed.length === 0) return handles as WorkflowHandle<Awaited<Output>>[];
    throw new AggregateError(failed, `Cannot execute ${failed.length} of ${options.length} workflows; see "errors"`);
  }

  /**
   * Sends a signal to a running workflow, whichever executor runs it.
   *
   * @param id The workflow's ID.
   * @param signal The signal.
   * @returns When the signal is stored. The workflow may read it later.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `conflict` if the store failed
   * and the workflow went on as another run before it was known whether the signal is stored.
   * @throws {TypeError} If an argument is bad or the payload cannot be stored.
   * @throws {RangeError} If the payload is larger than `maxPayloadBytes`.
   */
  signal<Payload = unknown>(id: string, signal: Signal<Payload>): Promise<void> {
    return this.#call({ kind: "signal", workflowId: id }, async () => {
      const { name: definition, payload, senderId } = signal ?? {};
      const name = definedName("name", definition, "signal workflow", id);
      checkOptionalString("senderId", senderId, "signal workflow", id);
      const event: WorkflowEvent = Object.freeze({
        type: "signal_received",
        at: this.#host.clock.now(),
        name,
        payload: toStored(payload, "payload of signal", name, this.#host.stamp.maxPayloadBytes),
        ...(senderId === undefined ? {} : { senderId }),
        signalId: `${this.#signalPrefix}:${this.#signals++}`,
      });
      const run = this.#runs.get(id);
      const sent = run?.open === true && this.#closed === undefined;
      if (sent && await run.post(event)) return; // what is usual, without a further promise
      await this.#outside.post("signal", id, event, sent);
    }) as Promise<void>;
  }

  /**
   * Answers from the store what is known of a workflow, running or finished.
   *
   * @param id The workflow's ID.
   * @param type What to answer.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow.
   */
  query<Type extends keyof QueryAnswers>(id: string, type: Type): Promise<QueryAnswers[Type]>;
  /**
   * Asks a workflow, running or finished. One that is live here answers from its variables once it has seen all that is
   * stored; any other is replayed for it, which changes nothing.
   *
   * @param id The workflow's ID.
   * @param query What the workflow handles by `ctx.handleQuery`.
   * @param args What to pass to the handler.
   * @returns A copy of what the handler answered.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, or it has no such handler;
   * `unknown_workflow` if its code is not known here.
   * @throws {TypeError} If an argument or the answer cannot be stored.
   * @throws What the handler throws.
   */
  query<Result = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    id: string,
    query: string | QueryDefinition<Result, Args>,
    ...args: Args
  ): Promise<Result>;
  query(id: string, query: string | QueryDefinition, ...args: unknown[]): Promise<unknown> {
    return this.#call({ kind: "query", workflowId: id }, async () => {
      const action = "query workflow";
      checkText("id", id, action);
      const name = definedName("query", query, action, id);
      const copies = args.map((arg, i) => handOut(toStored(arg, `args[${i}] of query`, name)));
      const run = this.#runs.get(id);
      const answer = run?.begun && !Object.hasOwn(known, name) ? await run.query(name, copies) : undefined;
      if (answer !== undefined) return answer.value;
      const state = await this.#handles.load(id, "query");
      if (Object.hasOwn(known, name)) return name === "state" ? state : state[name as "status"];
      const workflow = this.#codeOf(state, action);
      const { startAt } = state.history[0] as WorkflowStartedEvent;
      if (state.status === "running" && startAt !== undefined && startAt > this.#host.clock.now()) {
        throw new WorkflowError("not_found", `${cannot(action, id)}: its code begins at ${startAt} only`);
      }
      const replay = await lookAt(workflow, state, this.#host);
      return replay.handlers.query(id, name, copies);
    });
  }

  /**
   * Asks a workflow that is live here to do something, and answers what came of it. The input is validated before
   * anything is recorded; the answer is recorded before it is given.
   *
   * @param id The workflow's ID.
   * @param update What the workflow handles by `ctx.handleUpdate`.
   * @param input What to pass to the handler.
   * @param options How to tell a repetition from a second request.
   * @returns What the handler returned, as it is stored.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, it has no such handler, or it ends before
   * it has answered; `unsupported` if it is not live here.
   * @throws {TypeError} If an argument is bad or cannot be stored.
   * @throws What the validation or the handler throws.
   */
  update<Result = unknown, Input = unknown>(
    id: string,
    update: string | UpdateDefinition<Result, Input>,
    ...args: InputArgs<NoInfer<Input>, UpdateOptions>
  ): Promise<Result> {
    return this.#call({ kind: "update", workflowId: id }, async () => {
      const action = "update workflow";
      checkText("id", id, action);
      const name = definedName("update", update, action, id);
      const [given, options = {}] = args;
      checkObject("options", options, action, id);
      const { updateId = crypto.randomUUID() } = options;
      checkText("updateId", updateId, action, id);
      const input = toStored(given, "input of update", name, this.#host.stamp.maxPayloadBytes);
      if (typeof update === "object") update.validate?.(handOut(input) as Input);
      for (let run; (run = this.#runs.get(id)) !== undefined;) {
        this.#assertOpen("update", id);
        const answer = await run.update({ updateId, name, input });
        if (answer !== undefined) return answer.value;
        await run.ended; // it may go on as another run
      }
      this.#assertOpen("update", id);
      const { status, history } = await this.#handles.load(id, "update");
      const completed = history.find((event) => event.type === "update_completed" && event.updateId === updateId) as
        | UpdateCompletedEvent
        | undefined;
      if (completed?.error !== undefined) throw fromErrorRecord(completed.error);
      if (completed !== undefined) return handOut(completed.result);
      if (status !== "running") {
        throw new WorkflowError("not_found", `${cannot(action, id)}: it is ${status}`);
      }
      const way = "ask the executor that runs it, or call recover() if that is gone";
      throw new WorkflowError("unsupported", `${cannot(action, id)}: it is not live in this executor; ${way}`);
    }) as Promise<Result>;
  }

  /**
   * Asks a workflow to end: what it waits for throws a `CanceledError`. A second request is a no-op.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When the request is stored. The workflow may still be cleaning up.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended.
   * @throws {TypeError} If `reason` is not a string.
   */
  cancel(id: string, reason?: string): Promise<void> {
    return this.#call({ kind: "cancel", workflowId: id }, async () => {
      checkOptionalString("reason", reason, "cancel workflow", id);
      await this.#outside.cancel(id, reason);
    }) as Promise<void>;
  }

  /**
   * Ends a workflow that does not listen, whichever executor runs it, if any: none of its code runs any more, its cleanup and
   * its compensations included, and the signals of its activities are aborted. It ends `canceled`; its handles reject with
   * code `terminated`.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When the end is stored.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended.
   * @throws {TypeError} If `reason` is not a string.
   */
  terminate(id: string, reason?: string): Promise<void> {
    return this.#call({ kind: "terminate", workflowId: id }, async () => {
      checkOptionalString("reason", reason, "terminate workflow", id);
      await this.#outside.terminate(id, reason);
    }) as Promise<void>;
  }

  /**
   * Finds a run again, of this process or an earlier one.
   *
   * @param id The workflow's ID.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow.
   */
  async handle<Result = unknown>(id: string): Promise<WorkflowHandle<Result>> {
    return this.#handles.create(await this.#handles.load(id, "find")) as WorkflowHandle<Result>;
  }

  /**
   * Goes on with every running workflow of the store that is not live here: replays its history, then performs what is
   * open in it. An activity that had started and not finished runs again. Of a workflow that is live here, it performs
   * what another executor had started: call it when that one is gone.
   *
   * @returns A handle for each workflow that was not live here, in order of creation. One that cannot be gone on with is left as it is stored;
   * its handle rejects with code `unknown_workflow`, and `onError` is told.
   * @throws {WorkflowError} With code `closed` or `store_failed`.
   */
  async recover(): Promise<WorkflowHandle[]> {
    this.#assertOpen("recover");
    return await this.#handles.opening(async () => {
      const states = await this.#host.store.running();
      this.#assertOpen("recover");
      const handles: WorkflowHandle[] = [];
      for (const state of states) {
        const handle = await this.#recoverOne(state);
        if (handle !== undefined) handles.push(handle);
      }
      for (const state of states) void this.#outside.closeOrphan(state);
      return handles;
    });
  }

  /** Goes on with a workflow that the store has listed; answers a handle if it was not live here. */
  async #recoverOne(state: WorkflowState): Promise<WorkflowHandle | undefined> {
    const { workflowId } = state;
    let older: LiveRun | undefined;
    for (;;) {
      const live = this.#runs.get(workflowId);
      if (live?.runId === state.runId) return void live.takeOver(state.history.length);
      if (live === older) {
        live?.told(null); // it finds out that it is over
        return this.#handles.create(state, this.#resume(state));
      }
      older = live; // unless it has continued what was listed
      const newest = await this.#host.store.load(workflowId);
      if (newest?.status !== "running") return undefined;
      state = newest;
    }
  }

  /**
   * Tells of every run that is live here what it waits for, in the order in which they came to be so. Nothing is asked of the
   * store, and nothing of the runs: what they wait for may come while the answer is read.
   */
  openRuns(): OpenRun[] {
    return Array.from(this.#runs.values(), (run) => {
      const { workflowId, runId, workflowName } = run;
      return { workflowId, runId, workflowName, waitsFor: run.waits() };
    });
  }

  /**
   * Stops: nothing is started or sent any more, and workflow code does not go on. Live runs stay as they are stored, for
   * `recover()`; their handles reject with code `closed`, and the signals of their activities are aborted, once those have
   * had the time that `drainMs` gives them. Can be called again, and answers what the first call did.
   *
   * @param options How long to wait for activities.
   * @returns When nothing is on its way into the store any more.
   * @throws {RangeError} If `drainMs` is not a finite number from 0; the executor goes on then.
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkObject("options", options, "close executor");
      const { drainMs = 0 } = options;
      checkNumber("drainMs", drainMs, 0, "close executor");
      return this.#closed ??= this.#close(drainMs);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #close(drainMs: number): Promise<void> {
    await null; // `#closed` is set from here on
    const error = closedError();
    for (const run of this.#runs.values()) if (run instanceof ParkedRun) run.suspend(error); // it must not wake
    const runs = [...this.#runs.values()] as Run[];
    if (drainMs > 0) await this.#drain(runs, drainMs);
    for (const run of runs) run.suspend(error);
    this.#host.store.close(error);
    this.#handles.close(error);
    await Promise.all(runs.map((run) => run.written()));
  }

  /** Lets the activities of runs end, unless that takes longer than `ms`. */
  async #drain(runs: readonly Run[], ms: number): Promise<void> {
    const { clock, timers } = this.#host;
    const drained = Promise.all(runs.map((run) => run.drain()));
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => timer = timers.set(clock.now() + ms, resolve));
    await Promise.race([drained, late]);
    timers.clear(timer);
  }

  async #execute(workflow: Workflow<never>, id: string, options: ExecuteOptions): Promise<WorkflowHandle> {
    this.#assertOpen("execute", id);
    validateExecution(workflow, id, options);
    const { input, timeoutMs, signal, startAfterMs, labels } = options;
    signal?.throwIfAborted();
    const at = this.#host.clock.now();
    const startAt = startAfterMs === undefined ? options.startAt : at + startAfterMs;
    const workflowName = this.#nameOf(workflow);
    const event: WorkflowStartedEvent = Object.freeze({
      type: "workflow_started",
      at,
      workflowName,
      input: toStored(input, "input", undefined, this.#host.stamp.maxPayloadBytes),
      ...this.#host.stamp,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(labels === undefined ? {} : { labels: copyLabels(labels, id) }),
      ...(startAt === undefined || startAt <= at ? {} : { startAt }),
    });
    return await this.#handles.opening(async () => {
      const run = await this.#start(workflow, id, event, options);
      if (!(run instanceof Run)) return this.#handles.create(run); // joined
      if (signal !== undefined) this.#cancelOnAbort(run, signal);
      return this.#handles.create(run, run.chain);
    });
  }

  /** Stores the first event of a run, and makes the run live; or answers the run that is joined instead. */
  async #start(
    workflow: Workflow<never>,
    workflowId: string,
    event: WorkflowStartedEvent,
    options: ExecuteOptions,
    isSame?: (state: WorkflowState) => boolean,
  ): Promise<Run | WorkflowState> {
    const { workflowName } = event;
    const runId = await createRun(this.#host, this.#outside, workflowId, event, options, isSame);
    this.#assertOpen("execute", workflowId);
    if (workflow.name !== "" && !this.#names.has(workflow)) this.#workflows.set(workflowName, workflow);
    if (typeof runId !== "string") return runId;
    const run = new Run(this.#host, workflow, { workflowId, runId, workflowName }, [event], false);
    this.#begin(run, event);
    return run;
  }

  #nameOf(workflow: Workflow<never>): string {
    return this.#names.get(workflow) ?? (workflow.name || "anonymous");
  }

  async #startChild(parent: RunInfo, event: ChildStartedEvent, workflow: Workflow<never>): Promise<WorkflowHandle> {
    const { workflowId, name: workflowName, input, seq, closePolicy, timeoutMs } = event;
    const starting = this.#handles.opening(async () => {
      const started = await this.#start(
        workflow,
        workflowId,
        Object.freeze({
          type: "workflow_started",
          at: this.#host.clock.now(),
          workflowName,
          input,
          ...this.#host.stamp,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          parent: Object.freeze({ workflowId: parent.workflowId, runId: parent.runId, seq, closePolicy }),
        }),
        {},
        (stored) => isChildOf(stored, parent, seq), // it was started before, here or by another executor
      );
      if (started instanceof Run) return this.#handles.create(started, started.chain);
      const live = this.#runs.get(workflowId)?.chain ??
        (started.status === "running" ? this.#resume(started) : undefined);
      // if its code is not known here, another executor may drive it
      return this.#handles.create(started, live instanceof WorkflowError ? undefined : live);
    });
    return await this.#outside.whileStarting(workflowId, starting);
  }

  /** Makes a stored run live, or says why it cannot be. */
  #resume(state: WorkflowState): Chain | WorkflowError {
    let workflow: Workflow<never>;
    try {
      workflow = this.#codeOf(state, "recover workflow");
    } catch (error) {
      this.#host.report(error);
      return error as WorkflowError;
    }
    const run = new Run(this.#host, workflow, state, state.history, true);
    this.#begin(run);
    return run.chain;
  }

  /** The function of a stored workflow. */
  #codeOf(state: WorkflowState, action: string): Workflow<never> {
    const workflow = this.#workflows.get(state.workflowName);
    if (workflow !== undefined && state.history[0]?.type === "workflow_started") return workflow;
    const why = workflow === undefined
      ? `no workflow is registered as ${show(state.workflowName)}; pass it to the executor in "workflows"`
      : "its history does not begin with workflow_started";
    throw new WorkflowError("unknown_workflow", `${cannot(action, state.workflowId)}: ${why}`);
  }

  /** The parent of a run waits for its end. */
  #tellParent(child: LiveRun): void {
    const { parent, status } = child;
    if (parent === undefined || (status === "running" && this.#closed !== undefined)) return; // all are suspended then
    const run = this.#runs.get(parent.workflowId);
    if (run?.runId === parent.runId) run.childEnded(parent.seq, child);
  }

  #begin(run: Run, started?: WorkflowEvent): void {
    if (this.#closed !== undefined) return run.suspend(closedError()); // it continues one that was late
    this.#runs.set(run.workflowId, run);
    run.start(started);
    this.#handles.begun(run);
  }

  #cancelOnAbort(run: Run, signal: AbortSignal): void {
    const { workflowId } = run; // what listens does not keep the run in memory
    const cancel = () => {
      const reason = signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
      this.#outside.cancel(workflowId, reason).catch(() => {}); // the run was suspended, or is over
    };
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    run.ended.then(() => signal.removeEventListener("abort", cancel));
  }

  /** Makes a call of a caller, with middleware around it. */
  #call(call: MiddlewareCall, body: () => Promise<unknown>): Promise<unknown> {
    const { middleware, report } = this.#host;
    return middleware.length === 0 ? body() : applyMiddleware(middleware, call, body, report);
  }

  #assertOpen(verb: string, id?: string): void {
    if (this.#closed !== undefined) {
      throw new WorkflowError("closed", `${cannot(`${verb} workflow`, id)}: the executor was closed`);
    }
  }
}
