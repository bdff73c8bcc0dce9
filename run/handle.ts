/**
 * Handles: access to one run and to its chain, whether it is live here, runs in another executor, or has ended.
 *
 * A handle belongs to one run and to the runs that continue it as new. If another run takes the place of these under the
 * same workflow ID, its calls reject with code `not_found`. `result()` is different if the run was live here: it rejects with
 * code `conflict`, or with the run's own end if it ended here.
 *
 * @module
 */

import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../definitions.ts";
import { WorkflowError, workflowError } from "../errors.ts";
import type { Described, DescribeOptions, ResultOptions, SignalOptions, UpdateOptions } from "../options.ts";
import type { DeepReadonly, WorkflowHead, WorkflowState, WorkflowStatus } from "../types.ts";
import type { InputArgs } from "../context.ts";
import { abortable } from "../util/abortable.ts";
import { checkOptions, checkSignal, noOptions } from "../util/check.ts";
import { quiet } from "../util/deferred.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { firstRunOf } from "../history/history.ts";
import { handOut } from "../history/value.ts";
import type { Target } from "./delivery.ts";
import type { Chain, LiveRun } from "./live_run.ts";
import type { LiveRuns } from "./live_runs.ts";
import { isElsewhere, isLeaseLost, type RetryingStore } from "./retrying_store.ts";

/**
 * Access to one run, and to the runs that continue it as new.
 *
 * @category Executor
 */
export interface WorkflowHandle<Result = unknown> {
  /** The workflow's ID. */
  readonly id: string;
  /** The ID of the run. */
  readonly runId: string;
  /** The status of the run, as far as this executor knows. */
  readonly status: WorkflowStatus;
  /**
   * Waits for the end of the run. Can be called any number of times. The promise may be awaited later or never: its rejection
   * does not end the process.
   *
   * @param options `signal`: ends the wait, not the workflow.
   * @returns What the workflow returned, as it is stored.
   * @throws What the workflow threw; `CanceledError`; `TimeoutError`; a `WorkflowError` with code `terminated` if the
   * workflow was terminated; `closed`, `store_failed`, `conflict`, `non_deterministic`, `unknown_workflow` or `invalid_history` if the run cannot
   * be resumed here; `not_found` if it was deleted or replaced; `unsupported` if it is not live here and the store does not
   * report changes.
   */
  result(options?: ResultOptions): Promise<Result>;
  /** Sends a signal to the workflow. See {@linkcode Executor.signal}. */
  signal<Payload = unknown>(
    signal: string | SignalDefinition<Payload>,
    ...args: InputArgs<NoInfer<DeepReadonly<Payload>>, SignalOptions>
  ): Promise<void>;
  /** Asks the workflow a question. See {@linkcode Executor.query}. */
  query<Answer = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    query: string | QueryDefinition<Answer, Args>,
    ...args: Args
  ): Promise<DeepReadonly<Answer>>;
  /** Asks the workflow to do something. See {@linkcode Executor.update}. */
  update<Answer = unknown, Input = unknown>(
    update: string | UpdateDefinition<Answer, Input>,
    ...args: InputArgs<NoInfer<DeepReadonly<Input>>, UpdateOptions>
  ): Promise<DeepReadonly<Answer>>;
  /** Asks the workflow to end. See {@linkcode Executor.cancel}. */
  cancel(reason?: string): Promise<void>;
  /** Ends the workflow without its consent. See {@linkcode Executor.terminate}. */
  terminate(reason?: string): Promise<void>;
  /** Describes the run. See {@linkcode Executor.describe}. */
  describe<Options extends DescribeOptions = DescribeOptions>(options?: Options): Promise<Described<Options>>;
}

/** The calls of a handle that its executor carries out. */
export interface HandleCalls {
  signal(target: Target, signal: unknown, payload: unknown, options?: SignalOptions): Promise<void>;
  query(target: Target, query: unknown, args: readonly unknown[]): Promise<unknown>;
  update(target: Target, update: unknown, input: unknown, options?: UpdateOptions): Promise<unknown>;
  cancel(target: Target, reason?: string): Promise<void>;
  terminate(target: Target, reason?: string): Promise<void>;
  describe(target: Target, options?: DescribeOptions): Promise<unknown>;
}

/** The parts of an executor that a handle uses. */
export interface HandleParts {
  readonly store: RetryingStore;
  readonly liveRuns: LiveRuns;
  readonly calls: HandleCalls;
}

export class Handle implements WorkflowHandle<never> {
  declare readonly id: string;
  declare readonly runId: string;
  readonly #firstRunId: string;
  readonly #parts: HandleParts;
  readonly #origin: Chain | WorkflowError | undefined;
  /** What the store or the end of the run here said last. */
  #status: WorkflowStatus;

  /** @param origin The chain, or the error because of which the run is not live. */
  constructor(parts: HandleParts, run: WorkflowState | WorkflowHead | LiveRun, origin?: Chain | WorkflowError) {
    this.id = run.workflowId;
    this.runId = run.runId;
    if ("chain" in run) this.#firstRunId = run.chain.firstRunId;
    else this.#firstRunId = "history" in run ? firstRunOf(run) : run.firstRunId;
    this.#parts = parts;
    this.#origin = origin;
    this.#status = run.status;
  }

  get status(): WorkflowStatus {
    if (this.#status !== "running") return this.#status; // a run that is or was live here may be behind
    const run = this.#run();
    return run === undefined || run instanceof WorkflowError ? this.#status : run.status;
  }

  get #target(): Target {
    return { id: this.id, firstRunId: this.#firstRunId };
  }

  signal(signal: unknown, payload?: unknown, options?: SignalOptions): Promise<void> {
    return this.#parts.calls.signal(this.#target, signal, payload, options);
  }

  query(query: unknown, ...args: readonly unknown[]): Promise<never> {
    return this.#parts.calls.query(this.#target, query, args) as Promise<never>;
  }

  update(update: unknown, input?: unknown, options?: UpdateOptions): Promise<never> {
    return this.#parts.calls.update(this.#target, update, input, options) as Promise<never>;
  }

  cancel(reason?: string): Promise<void> {
    return this.#parts.calls.cancel(this.#target, reason);
  }

  terminate(reason?: string): Promise<void> {
    return this.#parts.calls.terminate(this.#target, reason);
  }

  describe(options?: DescribeOptions): Promise<never> {
    return this.#parts.calls.describe(this.#target, options) as Promise<never>;
  }

  result(options: ResultOptions = noOptions): Promise<never> {
    return quiet(this.#result(options)) as Promise<never>; // it can be awaited later
  }

  /** The run that is live here, or was. */
  #run(): LiveRun | WorkflowError | undefined {
    const live = this.#parts.liveRuns.get(this.id);
    if (live?.chain.firstRunId === this.#firstRunId) return live;
    return this.#origin instanceof WorkflowError ? this.#origin : this.#origin?.latest;
  }

  /** The end of the run, if it is or was live here. */
  #ended(): Promise<LiveRun> | undefined {
    const run = this.#run();
    if (run instanceof WorkflowError) throw run;
    return run?.ended;
  }

  async #result(options: ResultOptions): Promise<unknown> {
    checkOptions(options, { signal: true }, "wait for workflow", this.id);
    const { signal } = options;
    checkSignal(signal, "wait for workflow", this.id);
    const { store, liveRuns } = this.#parts;
    for (const reads = { count: 0 };;) {
      const ended = this.#ended(); // and not the run: the wait must not keep the run in memory
      const run = ended === undefined ? undefined : await abortable(ended, signal);
      if (run !== undefined) {
        this.#status = run.status;
        if (run.status !== "running") return run.result();
        if (this.#run() !== run) continue; // it was suspended, and has been recovered since
      }
      const watch = liveRuns.watch(this.id);
      try {
        const state = await abortable(store.loadHead(this.id), signal);
        const same = state?.firstRunId === this.#firstRunId;
        let failure: unknown;
        if (run !== undefined && !(same && state.status !== "running")) {
          try {
            return run.result(); // throws the error that suspended it
          } catch (error) {
            if (!isElsewhere(error)) throw error;
            // If another executor has claimed it, or has continued it as new, the chain still runs.
            if (!isLeaseLost(error) && (!same || state.runId === run.runId)) failure = error;
          }
        }
        if (!same || failure !== undefined) {
          const why = state === null ? "it does not exist" : "another run has replaced it";
          failure ??= workflowError("not_found", "wait for workflow", this.id, why);
          if (await abortable(store.isOld(state, reads, same ? undefined : failure), signal)) continue;
          throw failure;
        }
        this.#status = state.status;
        if (state.status === "completed") return handOut(state.result);
        if (state.status !== "running") throw state.error ? fromErrorRecord(state.error) : new Error(state.status);
        if (this.#run() !== run) continue;
        await abortable(watch.changedSince(state, reads), signal);
      } finally {
        watch.stop();
      }
    }
  }
}
