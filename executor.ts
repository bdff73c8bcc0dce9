/**
 * The executor: runs workflow functions durably inside one process.
 *
 * Owns the runs that are live here. Knows of the store no more than its port.
 *
 * 1. What a caller is told is stored first: a started run, a signal, a cancellation, a result.
 * 2. A stopped executor loses nothing: another one on the same store goes on with `recover()`.
 * 3. Without live runs it holds nothing: no timer, no subscription, no pending task.
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
import type { ChildRequest } from "./context.ts";
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
} from "./_check.ts";
import { fromErrorRecord, toErrorRecord } from "./_error_record.ts";
import { Handles, type WorkflowHandle } from "./_handles.ts";
import { FrozenBatch } from "./_history.ts";
import { lookAt } from "./_look.ts";
import {
  type AnyActivity,
  type CloseOptions,
  completeOptions,
  type ExecuteArgs,
  type ExecuteOptions,
  type ExecutorOptions,
  type QueryAnswers,
  type ReplaceActivity,
  type Signal,
  type UpdateOptions,
  validateExecution,
} from "./_options.ts";
import { isConflict, RetryingStore } from "./_retrying_store.ts";
import { type Chain, type Host, Run } from "./_run.ts";
import { type Timer, Timers } from "./_timers.ts";
import { Turns } from "./_turns.ts";
import { handOut, show, toStored } from "./_value.ts";

export type {
  AnyActivity,
  CloseOptions,
  ExecuteArgs,
  ExecuteOptions,
  ExecutorOptions,
  QueryAnswers,
  ReplaceActivity,
  Signal,
  UpdateOptions,
  WorkflowHandle,
};

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

/** Whether a workflow was started by a certain command. */
function isChildOf({ history: [started] }: WorkflowState, parent: RunInfo, seq: number): boolean {
  return started?.type === "workflow_started" && started.parent?.workflowId === parent.workflowId &&
    started.parent.runId === parent.runId && started.parent.seq === seq;
}

/** What every workflow is asked for without a handler. */
const known: Record<keyof QueryAnswers, true> = { status: true, input: true, history: true, state: true };

/** Runs workflows. */
export class Executor {
  readonly #host: Host;
  readonly #workflows = new Map<string, Workflow<never>>();
  readonly #names = new Map<unknown, string>();
  /** The live runs, by workflow ID. */
  readonly #runs = new Map<string, Run>();
  readonly #handles: Handles;
  /** Children whose start is on its way into the store, by workflow ID. */
  readonly #starting = new Map<string, Promise<WorkflowHandle>>();
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
    const { store, workflows, storeRetry, ...rest } = completeOptions(options);
    const { clock, random } = rest;
    for (const [name, workflow] of Object.entries(workflows)) {
      this.#workflows.set(name, workflow);
      this.#names.set(workflow, name);
    }
    const turns = new Turns(clock);
    const timers = new Timers(clock, turns);
    const retrying = new RetryingStore(store, storeRetry, { clock, timers, turns, random });
    this.#handles = new Handles(retrying, this.#runs);
    const ended = (run: Run) => {
      if (this.#runs.get(run.workflowId) === run) this.#runs.delete(run.workflowId);
      this.#handles.listen();
    };
    const begin = (run: Run, started: WorkflowEvent) => {
      this.#begin(run, started);
      run.told(null); // others may have written to it already
    };
    this.#host = {
      ...{ ...rest, store: retrying, timers, turns, ended, begin },
      nameOf: (workflow) => this.#nameOf(workflow),
      startChild: (parent, event, workflow) => this.#startChild(parent, event, workflow),
      closeChild: (parent, event) => void this.#closeChild(parent, event),
      reachChild: (request, key) => this.#reachChild(request, key),
    };
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
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended.
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
      await this.#post("signal", id, event, sent);
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
      if (run?.begun && !Object.hasOwn(known, name)) return await run.query(name, copies);
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
      await this.#post("cancel", id, this.#cancelEvent(reason));
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
      await this.#terminate(id, reason);
    }) as Promise<void>;
  }

  #terminate(id: string, reason: string | undefined): Promise<void> {
    const error = new WorkflowError("terminated", `Terminated workflow ${show(id)}${reason ? `: ${reason}` : ""}`);
    const event = { type: "workflow_canceled", at: this.#host.clock.now(), error: toErrorRecord(error) } as const;
    return this.#post("terminate", id, Object.freeze(event));
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
        const live = this.#runs.get(state.workflowId);
        if (live?.runId === state.runId) {
          live.told(state.history.length);
          live.adopt(state.history.length);
        } else handles.push(this.#handles.create(state, this.#resume(state)));
      }
      for (const state of states) void this.#closeOrphan(state);
      return handles;
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

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number): Promise<void> {
    await null; // `#closed` is set from here on
    const runs = [...this.#runs.values()];
    if (drainMs > 0) await this.#drain(runs, drainMs);
    const error = closedError();
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
    const runId = await this.#create(workflowId, event, options, isSame);
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
    this.#starting.set(workflowId, starting);
    try {
      return await starting;
    } finally {
      if (this.#starting.get(workflowId) === starting) this.#starting.delete(workflowId);
    }
  }

  /** Ends a child for which nobody waits any more, unless it is to be left alone. */
  async #closeChild(parent: RunInfo, { workflowId, seq, closePolicy }: ChildStartedEvent): Promise<void> {
    if (closePolicy === "abandon") return;
    try {
      const stored = await this.#host.store.load(workflowId);
      if (stored?.status !== "running" || !isChildOf(stored, parent, seq)) return;
      const reason = `its parent ${show(parent.workflowId)} is over`;
      if (closePolicy === "terminate") await this.#terminate(workflowId, reason);
      else await this.#post("cancel", workflowId, this.#cancelEvent(reason));
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== "closed" && code !== "not_found") this.#host.report(error); // recover() tries again
    }
  }

  /** Sends what a workflow asks of its child; the key tells a repetition. */
  async #reachChild({ workflowId, name, payload, reason }: ChildRequest, key: string): Promise<void> {
    const { turns, clock } = this.#host;
    turns.leave(); // the store holds the clock itself, save when it is to be asked again later
    try {
      await this.#starting.get(workflowId)?.catch(() => {});
      // A process that has died since may have stored it, and the child may have ended of it.
      if (name === undefined) return await this.#post("cancel", workflowId, this.#cancelEvent(reason), true);
      const event = { type: "signal_received", at: clock.now(), name, payload, signalId: key } as const;
      await this.#post("signal", workflowId, Object.freeze(event), true);
    } finally {
      turns.enter();
    }
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

  /** Closes a child whose parent's run was over before it could do so. */
  async #closeOrphan({ workflowId, history }: WorkflowState): Promise<void> {
    const started = history[0];
    if (started?.type !== "workflow_started" || started.parent === undefined) return;
    const { parent } = started;
    const { closePolicy, seq } = parent;
    const state = await this.#host.store.load(parent.workflowId).catch(() => undefined);
    if (state === undefined || state?.status === "running" && state.runId === parent.runId) return;
    const { at, workflowName: name } = started;
    const event = { type: "child_started", at, seq, name, workflowId, closePolicy } as const;
    await this.#closeChild({ ...parent, workflowName: "" }, event);
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

  /**
   * Stores the first event of a run, in the place of a finished run if there is one. Answers the ID of the run, or the run
   * that was there if the options say to join it, or `isSame` that it is what was to be started.
   */
  async #create(
    id: string,
    event: WorkflowEvent,
    options: ExecuteOptions,
    isSame: (state: WorkflowState) => boolean = () => false,
  ): Promise<string | WorkflowState> {
    const { store, newRunId } = this.#host;
    const { onConflict, reuse } = options;
    let runId = newRunId(id);
    let replaces: string | undefined;
    let terminated = false;
    for (let attempt = 1;; attempt++) {
      let failure: unknown;
      try {
        await store.append(new FrozenBatch(id, runId, 0, [event], replaces));
        return runId;
      } catch (error) {
        failure = error;
      }
      if (isConflict(failure)) {
        const state = await store.load(id);
        if (state?.runId === runId) return runId; // it was stored, only the answer was lost
        const running = state?.status === "running";
        if (state && ((running ? onConflict : reuse) === "join" || isSame(state))) return state;
        if (running && onConflict !== "terminate") {
          const way = this.#runs.has(id) ? "wait for handle(id)" : "if its process is gone, go on with recover()";
          throw new WorkflowError(
            "already_running",
            `${cannot("execute workflow", id)}: it is running already; ${way}`,
          );
        }
        if (running && replaces !== state.runId) {
          if (!await this.#replace(id)) continue; // it has finished by itself, which `reuse` is for
          terminated = true;
        }
        if (state && !running && !terminated && reuse === "reject") {
          throw new WorkflowError(
            "already_finished",
            `${cannot("execute workflow", id)}: it is ${state.status}, and "reuse" is "reject"`,
          );
        }
        if (replaces !== state?.runId) {
          replaces = state?.runId;
          runId = newRunId(id); // one whose answer was lost may have been there before that run
          continue;
        }
      }
      await store.backOff(failure, attempt);
    }
  }

  /** Terminates what a new run is to replace. Answers whether it was running still. */
  async #replace(id: string): Promise<boolean> {
    try {
      await this.#terminate(id, "a new run replaces it");
      return true;
    } catch (error) {
      if (error instanceof WorkflowError && error.code === "not_found") return false;
      throw error;
    }
  }

  #begin(run: Run, started?: WorkflowEvent): void {
    if (this.#closed !== undefined) return run.suspend(closedError()); // it continues one that was late
    this.#runs.set(run.workflowId, run);
    run.start(started);
    this.#handles.begun(run);
  }

  #cancelOnAbort(run: Run, signal: AbortSignal): void {
    const cancel = () => {
      const reason = signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
      run.cancel(this.#cancelEvent(reason)).catch(() => {}); // the run was suspended
    };
    if (signal.aborted) return cancel();
    signal.addEventListener("abort", cancel, { once: true });
    run.ended.then(() => signal.removeEventListener("abort", cancel));
  }

  #cancelEvent(reason: string | undefined): WorkflowEvent {
    const event = { type: "cancel_requested", at: this.#host.clock.now() } as const;
    return Object.freeze(reason === undefined ? event : { ...event, reason });
  }

  /** Appends an event from outside to a running workflow, through its run if that is live here. */
  async #post(
    verb: "signal" | "cancel" | "terminate",
    id: string,
    event: WorkflowEvent,
    sent = false, // whether it may be stored, although nobody said so
  ): Promise<void> {
    this.#assertOpen(verb, id);
    let tried: number | undefined;
    for (let attempt = 1;;) {
      if (!this.#runs.has(id) || sent) {
        const { runId, status, history } = await this.#handles.load(id, verb);
        const isStored = (stored: WorkflowEvent) =>
          event.type === "signal_received"
            ? sent && stored.type === event.type && stored.signalId === event.signalId
            : event.type === "workflow_canceled"
            ? sent && stored.type === event.type && stored.error.data?.code === "terminated"
            : stored.type === event.type && (sent || status === "running");
        if (history.some(isStored)) return;
        if (status !== "running") {
          throw new WorkflowError("not_found", `${cannot(`${verb} workflow`, id)}: it is ${status}`);
        }
        if (!this.#runs.has(id)) {
          sent = true;
          try {
            return await this.#host.store.append(new FrozenBatch(id, runId, history.length, [event]));
          } catch (error) {
            // A conflict that nothing explains is a fault of the store as well.
            if (!isConflict(error) || tried === history.length) await this.#host.store.backOff(error, attempt++);
            tried = history.length;
            continue;
          }
        }
      }
      sent = true;
      const run = this.#runs.get(id)!;
      if (await run[verb === "signal" ? "post" : verb](event)) return;
      await run.ended;
    }
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
