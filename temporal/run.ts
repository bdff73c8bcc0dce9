/**
 * One run of a Temporal workflow: what the modules of the workflow side share about it.
 *
 * Owns no behaviour: each module reads and writes its own part. Which run is the current one is known to `scope.ts`.
 *
 * @module
 */

import type { ScopeContext, WorkflowContext } from "../context.ts";
import type { AnyWorkflow } from "../options.ts";
import { Deferred } from "../util/deferred.ts";
import type { HandlerUnfinishedPolicy, SearchAttributePair } from "./common/mod.ts";
import type { ActivityHost } from "./activity/run.ts";
import type { ValueConverter } from "./common/value_converter.ts";
import type { WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor } from "./interceptors.ts";
import type { DefaultSignalHandler, InjectedSinks, WorkflowInput } from "./types.ts";

/** Any function of the user. */
// deno-lint-ignore no-explicit-any -- any parameters
export type AnyFunction = (...args: any[]) => any;

/** What the runs of a host share. */
export interface HostParts {
  /** The activities, by name. */
  readonly activities: Readonly<Record<string, unknown>>;
  /** What their contexts get. */
  readonly activityHost: ActivityHost;
  readonly sinks: InjectedSinks;
  /** Whether the code of workflows gets globals of the workflow; `"report"` if it gets those of the runtime, and the log says where. */
  readonly patchGlobals: boolean | "report";
  /** What was reported. */
  readonly reported: Set<string>;
  readonly converter: ValueConverter;
  /** Makes the interceptors of a run. */
  readonly interceptors: readonly (() => {
    readonly inbound: readonly WorkflowInboundCallsInterceptor[];
    readonly outbound: readonly WorkflowOutboundCallsInterceptor[];
  })[];
  /**
   * Returns the workflow of a name, as the executor knows it.
   *
   * @throws {TypeError} If there is none.
   */
  workflow(type: string): AnyWorkflow;
  /** Returns the name of a workflow that is given as a name or a function. */
  typeOf(workflow: unknown): string;
}

/** A handler of a message. */
export interface MessageHandler {
  readonly handler: AnyFunction;
  readonly description: string | undefined;
}

/** A handler of a signal. */
export interface SignalEntry extends MessageHandler {
  readonly unfinishedPolicy: HandlerUnfinishedPolicy | undefined;
}

/** A handler of an update. */
export interface UpdateEntry extends SignalEntry {
  readonly validator: AnyFunction | undefined;
}

/** A call of a handler that has not ended. */
export interface HandlerCall {
  readonly kind: "signal" | "update";
  readonly name: string;
  readonly unfinishedPolicy: HandlerUnfinishedPolicy | undefined;
}

/** The handlers of a run. */
export class Handlers {
  readonly signals: Map<string, SignalEntry> = new Map();
  /** Ends the loop over the signals of a name. */
  readonly loops: Map<string, () => void> = new Map();
  defaultSignal: { readonly handler: DefaultSignalHandler; readonly stop: () => void } | undefined;
  readonly updates: Map<string, UpdateEntry> = new Map();
  readonly queries: Map<string, MessageHandler> = new Map();
  /** Names that the context has a handler for: it cannot forget one. */
  readonly registered: Set<string> = new Set();
  readonly calls: Set<HandlerCall> = new Set();
}

/** One run. */
export class Run {
  /** The context of the run: its `signal` is aborted when the run is cancelled. */
  readonly ctx: WorkflowContext;
  /** The context of the shield around the whole run. Only the scopes of this module cancel anything in it. */
  readonly context: ScopeContext;
  readonly host: HostParts;
  readonly workflowType: string;
  readonly input: WorkflowInput;
  inbound: readonly WorkflowInboundCallsInterceptor[] = [];
  outbound: readonly WorkflowOutboundCallsInterceptor[] = [];
  /** Whether the workflow function has ended. From then on, no promise of this module settles. */
  ended = false;
  /** End the scopes of the context that are open. */
  readonly openScopes: Set<() => void> = new Set();
  /** Ends the run with an error. */
  readonly fail: (error: unknown) => void;
  readonly handlers: Handlers = new Handlers();
  memo: Record<string, unknown>;
  searchAttributes: readonly SearchAttributePair[];
  currentDetails = "";
  /** The numbers of the next commands, for interceptors. */
  readonly next: Record<"timer" | "activity" | "child" | "message", number> = {
    timer: 1,
    activity: 1,
    child: 1,
    message: 1,
  };
  /** What the random numbers of named streams follow from. */
  streamSeed: string | undefined;

  constructor(
    ctx: WorkflowContext,
    context: ScopeContext,
    host: HostParts,
    workflowType: string,
    input: WorkflowInput,
    fail: (error: unknown) => void,
  ) {
    this.ctx = ctx;
    this.context = context;
    this.host = host;
    this.workflowType = workflowType;
    this.input = input;
    this.fail = fail;
    this.memo = { ...input.memo };
    this.searchAttributes = input.searchAttributes ?? [];
  }

  /**
   * Returns a promise that settles as another one, but not once the workflow function has ended. Nobody need await it.
   *
   * @param value What it resolves to.
   * @param failure What it rejects with.
   */
  follow<T, Value>(
    promise: PromiseLike<T>,
    value: (value: T) => Value,
    failure: (error: unknown) => unknown,
  ): Promise<Value> {
    const follower = new Deferred<Value>();
    promise.then((result) => {
      if (this.ended) return;
      try {
        follower.resolve(value(result));
      } catch (error) {
        follower.reject(error);
      }
    }, (error) => {
      if (this.ended) return;
      try {
        follower.reject(failure(error));
      } catch (error) { // a hostile one cannot be converted
        follower.reject(error);
      }
    });
    return follower.promise;
  }

  /** Copies values that the history hands out: those are frozen. */
  read(values: unknown): unknown[] {
    if (values === undefined) return [];
    const { fromStored } = this.host.converter;
    return Array.isArray(values) ? values.map(fromStored) : [fromStored(values)];
  }

  /** Copies values into what the history can hold. */
  write(values: readonly unknown[]): unknown[] {
    const { toStored } = this.host.converter;
    return values.map(toStored);
  }
}
