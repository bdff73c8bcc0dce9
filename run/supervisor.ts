/**
 * The supervisor of an executor's runs: makes runs live, replaces continued and dormant runs, notifies parents, and closes
 * everything. `Recovery` finds the stored runs that are to be resumed.
 *
 * Owns the parts of an executor and wires them together. The executor, its public face, checks the arguments of calls.
 *
 * 1. A run is live only after its first event is stored.
 * 2. While a run is made live, changes that the store reports are remembered for it (`LiveRuns.beginStarting`).
 * 3. After `close()` nothing becomes live. Runs that were live stay in the store as `running`.
 *
 * @module
 */

import { WorkflowError, workflowError } from "../errors.ts";
import { callHook, hookNames, type RunKey } from "../hooks.ts";
import type { ExecuteOptions, WorkOptions } from "../options.ts";
import type {
  ChildStartedEvent,
  ParentRun,
  WorkflowEvent,
  WorkflowHead,
  WorkflowStartedEvent,
  WorkflowState,
} from "../types.ts";
import type { Workflow } from "../context.ts";
import { cannot } from "../util/check.ts";
import { show } from "../util/show.ts";
import { firstRunOf } from "../history/history.ts";
import { validateHistory } from "../history/validate.ts";
import { toStored } from "../history/value.ts";
import { type CallOf, callThrough } from "./calls.ts";
import type { ChildAttempt } from "./child.ts";
import type { Timing } from "./command.ts";
import { writeLog } from "./context.ts";
import { Delivery, executorClosed, isStarted } from "./delivery.ts";
import { Dormancy, DormantRun } from "./dormant.ts";
import type { RunEnvironment } from "./environment.ts";
import { Handle, type HandleCalls } from "./handle.ts";
import { copyTexts, withHeaders } from "./headers.ts";
import { Leases } from "./leases.ts";
import type { Chain, DormantState, Lease, LiveRun, StartableRun } from "./live_run.ts";
import { LiveRuns } from "./live_runs.ts";
import { Recovery } from "./recovery.ts";
import { signalsOf } from "./remembered.ts";
import { isUnavailable, RetryingStore } from "./retrying_store.ts";
import { Run } from "./run.ts";
import type { Settings } from "./settings.ts";
import { type Timer, Timers } from "./timers.ts";
import { Turns } from "./turns.ts";
import { Updates } from "./updates.ts";

function closedError(): WorkflowError {
  return new WorkflowError("closed", "The executor was closed; recover() resumes what is stored");
}

export class Supervisor {
  readonly store: RetryingStore;
  readonly timing: Timing;
  readonly liveRuns: LiveRuns;
  readonly delivery: Delivery;
  declare readonly updates: Updates;
  declare readonly environment: RunEnvironment;
  declare readonly calls: HandleCalls;
  /** `undefined` without leases. */
  readonly leases: Leases | undefined;
  readonly recovery: Recovery;
  readonly #workflows = new Map<string, Workflow<never>>();
  readonly #names = new Map<unknown, string>();
  #closed: Promise<void> | undefined;

  /** @param calls The calls of handles, which the executor carries out. */
  constructor(settings: Settings, calls: HandleCalls) {
    const { clock, runs, activities, logger, dormantAfterMs } = settings;
    for (const [name, workflow] of Object.entries(settings.workflows)) {
      this.#workflows.set(name, workflow as Workflow<never>);
      this.#names.set(workflow, name);
    }
    this.calls = calls;
    const turns = new Turns(clock, runs.report);
    const timing = this.timing = { clock, turns, timers: new Timers(clock, turns) };
    const store = this.store = new RetryingStore(settings.store, settings.storeRetry, timing, activities);
    const liveRuns = this.liveRuns = new LiveRuns(store);
    const delivery = this.delivery = new Delivery({ store, timing, runs, liveRuns });
    this.updates = new Updates({ store, timing, liveRuns, delivery });
    this.leases = settings.leaseMs === undefined ? undefined : new Leases(store, timing, settings.leaseMs, {
      liveRuns,
      names: () => [...this.#workflows.keys()],
      resume: (found) => this.recovery.resume(found),
      report: runs.report,
    });
    this.recovery = new Recovery(this);
    const dormant = (run: LiveRun, state: DormantState) => {
      const next = new DormantRun(this.environment, run, state);
      liveRuns.set(next);
      if (liveRuns.closed) next.suspend(closedError()); // close() was called while it was to end
      return next;
    };
    const dormancy = dormantAfterMs === undefined ? undefined : new Dormancy(clock, turns, dormantAfterMs, dormant);
    this.environment = {
      store,
      timing,
      runs,
      activities,
      context: {
        logger,
        report: runs.report,
        nameOf: (workflow) => this.nameOf(workflow),
        deliver: (message, attempt, child, only) => delivery.deliver(message, attempt, child, only),
      },
      children: {
        start: (...args) => this.#startChild(...args),
        look: (parent, event, ended) => delivery.look(parent, event, ended),
        isLive: (id) => liveRuns.get(id) !== undefined,
        close: (parent, event) => void delivery.closeChild(parent, event),
      },
      lifecycle: {
        leaseKnown: (lease) => this.leases?.known(lease),
        idle: dormancy && ((run) => dormancy.idle(run)),
        dormant,
        woke: (run) => liveRuns.set(run),
        ended: (run) => {
          const { chain } = run;
          const { ended } = chain;
          if (chain.latest === run && chain.hasSlot) {
            chain.hasSlot = false;
            runs.slots!.release();
          }
          dormancy?.forget(run);
          liveRuns.delete(run);
          this.leases?.rest();
          if (chain.latest === run) {
            if (run.status === "running") this.leases?.left(run);
            this.#notifyParent(run);
          }
          chain.ended = undefined;
          ended?.resolve(run);
        },
        replaced: (id) => void this.recovery.recoverNext(id),
        continued: (run, started, workflow) => {
          this.#know(workflow, started.workflowName);
          this.#begin(run, [started]);
        },
      },
    };
  }

  /** @param origin The chain, or the error because of which the run is not live. */
  handle(run: WorkflowState | WorkflowHead | LiveRun, origin?: Chain | WorkflowError): Handle {
    return new Handle(this, run, origin);
  }

  // The code of workflows

  /** The name of a workflow in the history. */
  nameOf(workflow: Workflow<never>): string {
    return this.#names.get(workflow) ?? (workflow.name || "anonymous");
  }

  /** A workflow that was not passed to the executor has begun: its stored runs can be resumed here. */
  #know(workflow: Workflow<never>, name: string): void {
    if (workflow.name !== "" && !this.#names.has(workflow)) this.#workflows.set(name, workflow);
  }

  /** The function of a stored workflow. */
  codeOf(state: WorkflowState, action: string): Workflow<never> {
    const workflow = this.#workflows.get(state.workflowName);
    if (workflow !== undefined && state.history[0]?.type === "workflow_started") {
      validateHistory(state.history, 0, action, state.workflowId);
      return workflow;
    }
    const { workflowName: name } = state;
    const way = name === "anonymous" ? "its function has no name: give it one, or " : "";
    const why = workflow === undefined
      ? `no workflow is registered as ${show(name)}; ${way}pass it to the executor in "workflows"`
      : "its history does not begin with workflow_started";
    throw workflowError("unknown_workflow", action, state.workflowId, why);
  }

  // Runs that become live

  /**
   * Stores the first events of a run and makes the run live.
   *
   * @param started The first event.
   * @param signals The events that follow it.
   * @param isSame Whether a stored run is the one to be started: then it is returned.
   * @param canceled Returns why the run is not to begin any more; `undefined` if it is.
   * @throws What `canceled` returns, if the code has not begun.
   * @returns The run, or the state of a stored run that is joined.
   */
  async start(
    workflow: Workflow<never>,
    workflowId: string,
    started: WorkflowStartedEvent,
    signals: readonly WorkflowEvent[] | undefined,
    options: ExecuteOptions,
    isSame?: (state: WorkflowState) => boolean,
    canceled?: () => unknown,
  ): Promise<LiveRun | WorkflowState> {
    const { liveRuns, environment } = this;
    const { workflowName } = started;
    const events = signals === undefined ? [started] : [started, ...signals];
    liveRuns.beginStarting();
    try {
      const room = this.timing.turns.room();
      if (room) {
        await room;
        if (liveRuns.closed) throw executorClosed("execute", workflowId);
      }
      let lease: Lease | undefined;
      const create = (owner?: string) => {
        if (liveRuns.closed) throw executorClosed("execute", workflowId);
        lease = owner === undefined ? undefined : { owner, fence: 0 };
        return this.delivery.create(workflowId, events, options, isSame, canceled, lease);
      };
      const runId = await (this.leases === undefined ? create() : this.leases.create(workflowId, create));
      if (liveRuns.closed) throw executorClosed("execute", workflowId);
      this.#know(workflow, workflowName);
      if (typeof runId !== "string") return runId;
      const live = liveRuns.get(workflowId);
      if (live?.runId === runId) { // recover() found it while the store was still answering
        for (const event of events) callHook(environment.runs, hookNames[event.type], event, live, started);
        return live;
      }
      const info = { workflowId, runId, workflowName };
      const reason = canceled?.();
      if (reason !== undefined) {
        callHook(environment.runs, "workflowStarted", started, info, started);
        if (await this.delivery.endUnbegun(workflowId, runId)) throw reason;
        // recover() had found it, and it has ended
        return await this.delivery.load("start", { id: workflowId, firstRunId: runId });
      }
      const run = new Run(environment, workflow, info, events, false, undefined, lease);
      this.#begin(run, events);
      this.leases?.check(run);
      return run;
    } finally {
      liveRuns.endStarting();
    }
  }

  /** @param stored Its first events, if they were stored just now. */
  #begin(run: StartableRun, stored?: readonly WorkflowEvent[]): void {
    if (this.liveRuns.closed) return run.suspend(closedError()); // close() was called while a run was being continued
    this.liveRuns.start(run, stored);
    this.leases?.keep();
  }

  /**
   * Makes a stored run live, or returns why it cannot be.
   *
   * @param lease The lease under which it was claimed; `undefined` without leases.
   */
  resume(state: WorkflowState, lease: Lease | undefined): Chain | WorkflowError {
    let workflow: Workflow<never>;
    try {
      workflow = this.codeOf(state, "recover workflow");
    } catch (error) {
      this.environment.runs.report(error);
      return error as WorkflowError;
    }
    const run = new Run(this.environment, workflow, state, state.history, true, undefined, lease);
    this.#begin(run);
    return run.chain;
  }

  /** Takes runs that are due, until the executor is closed or the signal is aborted. */
  work(options: WorkOptions): Promise<void> {
    const { leases } = this;
    if (leases !== undefined && !this.liveRuns.closed) {
      if (this.#workflows.size > 0) return leases.work(options);
      const why = 'the executor knows no workflow; pass those that it takes in "workflows"';
      return Promise.reject(new TypeError(`${cannot("work")}: ${why}`));
    }
    const [code, why] = leases === undefined
      ? [
        "unsupported",
        'the executor has no leases: give it a store that processes share, or the option "leaseMs"',
      ] as const
      : ["closed", "the executor was closed"] as const;
    return Promise.reject(workflowError(code, "work", undefined, why));
  }

  /** Starts an attempt of a child, or finds the one that the same command started before, here or in another executor. */
  async #startChild(
    parent: RunKey,
    event: ChildStartedEvent,
    workflow: Workflow<never>,
    attempt: ChildAttempt,
  ): Promise<Handle> {
    const { workflowId, seq, closePolicy } = event;
    const { number, again, canceled } = attempt;
    const first = { workflowId: parent.workflowId, runId: parent.runId, seq, closePolicy };
    const origin: ParentRun = Object.freeze(number === 1 ? first : { ...first, attempt: number });
    const isSame = (state: WorkflowState) => isStarted(state, origin, again ? event.at : Infinity);
    this.liveRuns.beginStarting(); // until a stored child is resumed
    try {
      const stored = again ? await this.store.load(workflowId) : null;
      const run = stored !== null && isSame(stored)
        ? stored
        : await this.#newChild(origin, event, workflow, isSame, canceled, number === 1 ? null : stored);
      if ("chain" in run) return this.handle(run, run.chain);
      const live = this.delivery.live({ id: workflowId, firstRunId: firstRunOf(run) })?.chain ??
        (run.status === "running" && this.leases === undefined ? this.resume(run, undefined) : undefined);
      // If its code is not known here, another executor may run it. With leases, whoever has claimed it runs it.
      return this.handle(run, live instanceof WorkflowError ? undefined : live);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      const reason = canceled();
      if (reason !== undefined) throw reason;
      // Nobody may await the result of the child.
      writeLog(this.environment.context, "warn", parent, cannot("start child workflow", workflowId), { error });
      throw error;
    } finally {
      this.liveRuns.endStarting();
    }
  }

  /**
   * Starts a child through the middleware.
   *
   * @param failed The run of the attempt that failed before.
   */
  #newChild(
    parent: ParentRun,
    event: ChildStartedEvent,
    workflow: Workflow<never>,
    isSame: (state: WorkflowState) => boolean,
    canceled: () => unknown,
    failed: WorkflowState | null,
  ): Promise<LiveRun | WorkflowState> {
    const { workflowId, name, input: stored, timeoutMs } = event;
    const remembered = failed === null ? undefined : signalsOf(failed.history);
    const action = "start child workflow";
    const { activities, runs } = this.environment;
    let started: Promise<LiveRun | WorkflowState> | undefined;
    const passed = callThrough(activities, ({ input = stored, headers = event.headers }) => ({
      kind: "startChild",
      workflowId,
      name,
      input: input === stored ? stored : toStored(input, "input of child workflow", name, runs.stamp.maxPayloadBytes),
      headers: copyTexts("headers", headers, action, workflowId, runs.stamp.maxPayloadBytes),
      parent,
    }), ({ input, headers }: CallOf<"startChild">) => {
      const first: WorkflowStartedEvent = Object.freeze({
        type: "workflow_started",
        at: this.timing.clock.now(),
        workflowName: name,
        ...runs.stamp,
        input,
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...withHeaders(headers),
        parent,
        ...(remembered !== undefined && { remembered }),
      });
      return started = this.start(workflow, workflowId, first, undefined, {}, isSame, canceled);
    });
    if (passed === started) return started!;
    return (passed as Promise<unknown>).then(() => {
      if (started === undefined) throw new TypeError(`${cannot(action, workflowId)}: a middleware did not call next()`);
      return started;
    });
  }

  /** The parent of a run waits for its end. */
  #notifyParent(child: LiveRun): void {
    const { parent, status } = child;
    if (parent === undefined || (status === "running" && this.liveRuns.closed)) return; // all are suspended then
    const run = this.liveRuns.get(parent.workflowId);
    if (run?.runId === parent.runId) run.childEnded(parent.seq, child);
  }

  // The end

  /** Waits up to `drainMs` for running activities, then suspends all runs. */
  close(drainMs: number): Promise<void> {
    return this.#closed ??= this.#close(drainMs);
  }

  async #close(drainMs: number): Promise<void> {
    this.liveRuns.closed = true;
    this.leases?.stop();
    await null; // `#closed` is set from here on
    const error = closedError();
    for (const run of this.liveRuns.values()) if (run instanceof DormantRun) run.suspend(error); // it must not wake
    const runs = [...this.liveRuns.values()] as Run[];
    if (drainMs > 0) await this.#drain(runs, drainMs);
    for (const run of runs) run.suspend(error);
    this.store.close(error);
    this.liveRuns.close(error);
    await Promise.all(runs.map((run) => run.written()));
    await this.leases?.close();
  }

  /** Lets the activities of runs end, unless that takes longer than `ms`. */
  async #drain(runs: readonly Run[], ms: number): Promise<void> {
    const { clock, timers } = this.timing;
    const drained = Promise.all(runs.map((run) => run.drain()));
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => timer = timers.set(clock.now() + ms, resolve));
    await Promise.race([drained, late]);
    timers.clear(timer);
  }
}
