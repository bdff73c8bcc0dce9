/**
 * The requests of callers to workflows, of an executor and of its handles: checks the arguments of each, wraps it with
 * middleware, and has it carried out.
 *
 * 1. A bad argument rejects before anything is called. It never throws.
 * 2. The rejection of a request that nobody awaits does not end the process.
 * 3. A middleware may change a request, and call it several times: its changes are checked as the arguments are. A message that the
 *    caller gave no ID gets one, and keeps it.
 *
 * @module
 */

import type { UpdateDefinition } from "../definitions.ts";
import type { CallChanges, MiddlewareCall } from "../middleware.ts";
import type {
  DescribeOptions,
  ExecuteOptions,
  SignalOptions,
  StartSignal,
  UpdateOptions,
  WorkflowDescription,
} from "../options.ts";
import type { CallHeaders, WorkflowHead, WorkflowStartedEvent, WorkflowState } from "../types.ts";
import type { Workflow } from "../context.ts";
import { abortable, onAbort } from "../util/abortable.ts";
import {
  checkArray,
  checkBoolean,
  checkFunction,
  checkOptionalString,
  checkOptions,
  checkSignal,
  checkText,
  definedName,
  invalid,
  noOptions,
  noTexts,
} from "../util/check.ts";
import { Deferred, isStrayPromise, quiet } from "../util/deferred.ts";
import { randomId } from "../util/prng.ts";
import { reasonText } from "../history/error_record.ts";
import { validateExecuteOptions } from "../history/start.ts";
import { handOut, toStored } from "../history/value.ts";
import { type CallOf, callThrough } from "./calls.ts";
import { executorClosed, notFound, type Target } from "./delivery.ts";
import { signalEvent } from "./events.ts";
import type { HandleCalls } from "./handle.ts";
import { copyTexts, mergeHeaders, withHeaders } from "./headers.ts";
import type { LiveRun } from "./live_run.ts";
import { replayReadOnly } from "./read_only.ts";
import { isRemembered, MADE } from "./remembered.ts";
import type { Settings } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

const none: readonly never[] = [];
const signalOptions: Readonly<Record<keyof SignalOptions, true>> = { signalId: true, senderId: true, headers: true };
const startSignalOptions: Readonly<Record<keyof StartSignal, true>> = {
  name: true,
  payload: true,
  signalId: true,
  senderId: true,
  headers: true,
};
const updateOptions: Readonly<Record<keyof UpdateOptions, true>> = { updateId: true, signal: true, headers: true };

export class Requests implements HandleCalls {
  /** Which runs are live, and how they end. */
  readonly supervisor: Supervisor;
  readonly #settings: Settings;
  readonly #maxBytes: number | undefined;
  /** Begins the IDs of messages for which the caller chose none. Made late: no module of a worker may draw a random number. */
  #messagePrefix: string | undefined;
  #messages = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#maxBytes = settings.runs.stamp.maxPayloadBytes;
    this.supervisor = new Supervisor(settings, this);
  }

  execute(workflow: Workflow<never>, id: string, options: ExecuteOptions): Promise<unknown> {
    const supervisor = this.supervisor;
    const action = "execute workflow";
    let signals: readonly CallOf<"signal">[] | undefined;
    return this.#call(action, id, (changes): CallOf<"execute"> => {
      checkFunction("workflow", workflow, action, id);
      validateExecuteOptions(options, action, id);
      const { input = options.input, labels = options.labels, headers = options.headers } = changes;
      return {
        kind: "execute",
        workflowId: id,
        name: supervisor.nameOf(workflow),
        input: toStored(input, "input", undefined, this.#maxBytes),
        labels: copyTexts("labels", labels, action, id, this.#maxBytes),
        headers: copyTexts("headers", headers, action, id, this.#maxBytes),
        signals: signals ??= options.signals === undefined ? none : this.#startSignals(options.signals, id),
      };
    }, ({ name, input, labels, headers, signals }) => {
      if (supervisor.liveRuns.closed) throw executorClosed("execute", id);
      const { timeoutMs, signal, startAfterMs } = options;
      signal?.throwIfAborted();
      const at = this.#settings.clock.now();
      const startAt = startAfterMs === undefined ? options.startAt : at + startAfterMs;
      const started: WorkflowStartedEvent = Object.freeze({
        type: "workflow_started",
        at,
        workflowName: name,
        ...this.#settings.runs.stamp,
        input,
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(labels !== noTexts && { labels }),
        ...withHeaders(headers),
        ...(startAt !== undefined && startAt > at && { startAt }),
        ...(signals.length > 0 && { startEvents: 1 + signals.length }),
      });
      const events = signals.length === 0
        ? undefined
        : signals.map((one) =>
          signalEvent({ ...one, headers: mergeHeaders(headers, one.headers, this.#maxBytes) }, at)
        );
      return supervisor.start(workflow, id, started, events, options).then((run) => {
        if (!("chain" in run)) return supervisor.handle(run); // joined
        if (signal !== undefined) this.#cancelOnAbort(run, signal);
        return supervisor.handle(run, run.chain);
      });
    });
  }

  /** The signals that a workflow is started with. */
  #startSignals(signals: readonly StartSignal[], id: string): CallOf<"signal">[] {
    const action = "execute workflow";
    const calls = Array.from(signals, (signal, i) => { // also at a hole
      const what = `signals[${i}]`;
      checkOptions(signal, startSignalOptions, action, id, what);
      const name = definedName("signal", signal.name, action, id, `${what}.name`);
      const signalId = this.#messageId("signalId", signal.signalId, action, id);
      return this.#signalCall(action, id, name, signal.payload, signal.headers, signalId, signal.senderId);
    });
    const ids = new Set<string>();
    return calls.filter(({ signalId }) => ids.size < ids.add(signalId).size);
  }

  /** Cancels a workflow when a signal is aborted, until no run of its chain is live here. */
  #cancelOnAbort(run: LiveRun, signal: AbortSignal): void {
    const { workflowId: id } = run;
    const { firstRunId } = run.chain;
    const cancel = () => {
      const reason = reasonText(signal.reason);
      this.supervisor.delivery.cancel({ id, firstRunId }, reason).catch(() => {}); // the run was suspended, or has ended
    };
    if (signal.aborted) return cancel();
    const forget = onAbort(signal, cancel);
    // The promise is awaited and not the run: this must not keep the run in memory.
    const follow = (ended: Promise<LiveRun>): void =>
      void ended.then((run) => {
        const { latest } = run.chain;
        if (latest === run) forget();
        else follow(latest.ended); // not returned: the promises of all runs of the chain would be kept
      });
    follow(run.ended);
  }

  signal(target: Target, definition: unknown, given: unknown, options: SignalOptions = noOptions): Promise<void> {
    const { id } = target;
    const action = "signal workflow";
    let signalId: string | undefined;
    return this.#call(action, id, ({ name = definition, payload = given, headers }) => {
      const checked = definedName("signal", name, action, id);
      checkOptions(options, signalOptions, action, id);
      signalId ??= this.#messageId("signalId", options.signalId, action, id);
      if (headers === undefined) headers = options.headers;
      return this.#signalCall(action, id, checked, payload, headers, signalId, options.senderId);
    }, (call) => {
      return this.supervisor.delivery.post(
        "signal",
        target,
        signalEvent(call, this.#settings.clock.now()),
        options.signalId !== undefined,
      );
    }) as Promise<void>;
  }

  #signalCall(
    action: string,
    id: string,
    name: string,
    payload: unknown,
    headers: CallHeaders | undefined,
    signalId: string,
    senderId: string | undefined,
  ): CallOf<"signal"> {
    checkOptionalString("senderId", senderId, action, id);
    return {
      kind: "signal",
      workflowId: id,
      name,
      payload: toStored(payload, "payload of signal", name, this.#maxBytes),
      headers: copyTexts("headers", headers, action, id, this.#maxBytes),
      signalId,
      senderId,
    };
  }

  /** The ID that the caller chose, or a new one. */
  #messageId(name: string, chosen: string | undefined, action: string, id: string): string {
    if (chosen === undefined) return `${this.#messagePrefix ??= MADE + randomId()}:${this.#messages++}`;
    checkText(name, chosen, action, id);
    if (!isRemembered(chosen)) throw invalid(name, chosen, `a string that does not begin with "${MADE}"`, action, id);
    return chosen;
  }

  query(
    target: Target,
    definition: unknown,
    given: readonly unknown[],
    givenState?: WorkflowState,
  ): Promise<unknown> {
    const { id } = target;
    const action = "query workflow";
    return this.#call(action, id, ({ name = definition, args = given }): CallOf<"query"> => {
      const checked = definedName("query", name, action, id);
      checkArray("args", args, action, id);
      const copies = args.map((arg, i) => handOut(toStored(arg, `args[${i}] of query`, checked)));
      return { kind: "query", workflowId: id, name: checked, args: copies };
    }, async ({ name, args }) => {
      const { delivery, environment, timing } = this.supervisor;
      const run = givenState === undefined ? delivery.live(target) : undefined;
      const answer = run?.begun ? await run.query(name, args) : undefined;
      if (answer !== undefined) return answer.value;
      const state = givenState ?? await delivery.load("query", target);
      const workflow = this.supervisor.codeOf(state, action);
      const { startAt } = state.history[0] as WorkflowStartedEvent;
      const early = state.status === "running" && startAt !== undefined ? startAt - timing.clock.now() : 0;
      if (early > 0) throw notFound("query", id, `its code begins in ${early} ms`);
      const { turns } = timing;
      const replay = await replayReadOnly(workflow, state, { turns, context: environment.context });
      return replay.query(name, args);
    });
  }

  update(target: Target, definition: unknown, given: unknown, options: UpdateOptions = noOptions): Promise<unknown> {
    const { id } = target;
    const action = "update workflow";
    let updateId: string | undefined;
    return this.#call(action, id, ({ name = definition, input = given, headers }): CallOf<"update"> => {
      const checked = definedName("update", name, action, id);
      checkOptions(options, updateOptions, action, id);
      if (headers === undefined) headers = options.headers;
      checkSignal(options.signal, action, id);
      updateId ??= this.#messageId("updateId", options.updateId, action, id);
      const stored = toStored(input, "input of update", checked, this.#maxBytes);
      if (typeof name === "object") {
        const answer: unknown = (name as UpdateDefinition).validate?.(handOut(stored));
        if (isStrayPromise(answer)) throw invalid("validate()", answer, "no promise", action, id);
      }
      return {
        kind: "update",
        workflowId: id,
        name: checked,
        input: stored,
        headers: copyTexts("headers", headers, action, id, this.#maxBytes),
        updateId,
      };
    }, async (request) => {
      const { signal } = options;
      signal?.throwIfAborted();
      return await abortable(this.supervisor.updates.send(target, request, signal), signal);
    });
  }

  cancel(target: Target, reason: string | undefined): Promise<void> {
    return this.#end("cancel", target, reason);
  }

  terminate(target: Target, reason: string | undefined): Promise<void> {
    return this.#end("terminate", target, reason);
  }

  #end(kind: "cancel" | "terminate", target: Target, given: string | undefined): Promise<void> {
    const { id } = target;
    const action = `${kind} workflow`;
    return this.#call(action, id, ({ reason = given }) => {
      checkOptionalString("reason", reason, action, id);
      return { kind, workflowId: id, reason };
    }, ({ reason }) => this.supervisor.delivery[kind](target, reason)) as Promise<void>;
  }

  describe(target: Target, options: DescribeOptions = noOptions): Promise<WorkflowDescription> {
    const { id } = target;
    const action = "describe workflow";
    return this.#call(action, id, (): CallOf<"describe"> => {
      checkOptions(options, { history: true }, action, id);
      const { history = false } = options;
      checkBoolean("history", history, action, id);
      return { kind: "describe", workflowId: id, history };
    }, async (call) => {
      const { delivery, liveRuns } = this.supervisor;
      const state = call.history ? await delivery.load("describe", target) : undefined;
      const head = state ?? await delivery.head("describe", target);
      const { workflowId: _1, firstRunId: _2, parent: _3, history: _4, labels = {}, ...rest } = head as
        & WorkflowHead
        & Partial<WorkflowState>;
      const run = liveRuns.get(id);
      return {
        id,
        input: undefined,
        ...rest,
        labels,
        ...(run?.runId === head.runId ? { waitsFor: run.waitsFor() } : {}),
        ...(state && { history: state.history, historyLength: state.history.length }),
      };
    }) as Promise<WorkflowDescription>;
  }

  /** Makes a call, wrapped with middleware; see {@linkcode callThrough}. */
  #call<Call extends MiddlewareCall>(
    action: string,
    id: string,
    check: (changes: CallChanges) => Call,
    make: (call: Call) => Promise<unknown>,
  ): Promise<unknown> {
    try {
      checkText("id", id, action);
      this.supervisor.timing.turns.call();
      return quiet(callThrough(this.#settings.activities, check, make) as Promise<unknown>);
    } catch (error) {
      return Deferred.rejected(error);
    }
  }
}
