/**
 * Calls through the middleware of an executor.
 *
 * @module
 */

import type { ActivityContext } from "../activity.ts";
import type { ErrorReporter } from "../hooks.ts";
import {
  applyMiddleware,
  type CallChanges,
  type Middleware,
  type MiddlewareCall,
  type VisitEnd,
} from "../middleware.ts";
import type { ActivityStartedEvent, CallHeaders } from "../types.ts";
import { checkOptionalString, checkText } from "../util/check.ts";
import { quiet } from "../util/deferred.ts";
import { handOut, toStored } from "../history/value.ts";
import type { Performer } from "./command.ts";
import { copyTexts, mergeHeaders } from "./headers.ts";

/** The call of one kind. */
export type CallOf<Kind extends MiddlewareCall["kind"]> = Extract<MiddlewareCall, { readonly kind: Kind }>;

/** A message of a workflow: a signal if it has a name, else a cancellation. */
export interface Message {
  /** The receiver's ID. */
  readonly workflowId: string;
  /** The name of the signal. */
  readonly name?: string;
  /** The payload of the signal. */
  readonly payload?: unknown;
  /** Headers of the signal, apart from those of the run. */
  readonly headers?: CallHeaders;
  /** The reason of the cancellation. */
  readonly reason?: string | undefined;
}

/** The middleware of an executor, and what gets its errors. */
export interface MiddlewareHost {
  readonly middleware: readonly Middleware[];
  readonly report: ErrorReporter;
}

const unchanged: CallChanges = {};

/**
 * Makes a call, wrapped with middleware.
 *
 * @param check Checks and copies the arguments, with the changes of middleware in their places. Called at once, and again after
 * each change.
 * @param make Makes the call.
 * @returns What `make` returns; with middleware, a promise for what the outermost one returns.
 * @throws What `check` throws at once.
 */
export function callThrough<Call extends MiddlewareCall>(
  host: MiddlewareHost,
  check: (changes: CallChanges) => Call,
  make: (call: Call) => unknown,
): unknown {
  const call = check(unchanged);
  return host.middleware.length === 0 ? make(call) : callWrapped(host, call, check, make);
}

/** A function of its own: without middleware, no variables for its closures are made. */
function callWrapped<Call extends MiddlewareCall>(
  { middleware, report }: MiddlewareHost,
  call: Call,
  check: (changes: CallChanges) => Call,
  make: (call: Call) => unknown,
): Promise<unknown> {
  let changes = unchanged;
  return applyMiddleware(middleware, seen(call), async () => await make(call), report, (_, more) => {
    const all = { ...changes, ...more };
    call = check(all);
    changes = all;
    return seen(call);
  });
}

/** A call with values that middleware can keep: changing them does not change what is stored. */
function seen<Call extends MiddlewareCall>(call: Call): Call {
  let copy = call;
  for (const key of ["input", "payload", "args", "signals"] as unknown as readonly (keyof Call)[]) {
    const value = call[key];
    const own = key === "signals" ? value && (value as CallOf<"signal">[]).map(seen) : handOut(value);
    if (own !== value) copy = { ...copy, [key]: own };
  }
  return Object.freeze(copy);
}

/**
 * Calls workflow code at once, wrapped with middleware: a command outside of a turn would diverge. So a middleware that calls `next()`
 * later wraps nothing.
 *
 * @param start Calls the code.
 * @param ended Resolves when the visit ends.
 */
export function beginVisit(
  { middleware, report }: MiddlewareHost,
  call: CallOf<"visit">,
  start: () => void,
  ended: Promise<VisitEnd>,
): void {
  let called = false;
  const visit = () => {
    if (!called) {
      called = true;
      start();
    }
    return ended;
  };
  quiet(applyMiddleware(middleware, Object.freeze(call), visit, report));
  visit();
}

/** An attempt of an activity. */
export function attemptCall(
  { workflowId, runId, workflowName, started }: Performer,
  { at, seq, name, input: stored }: ActivityStartedEvent,
  context: ActivityContext,
  { input = stored, headers = context.headers }: CallChanges,
): CallOf<"activity"> {
  return {
    kind: "activity",
    workflowId,
    runId,
    workflowName,
    seq,
    name,
    input: input === stored ? stored : toStored(input, "input of activity", name, started.maxPayloadBytes),
    headers: copyTexts("headers", headers, "run activity", name, started.maxPayloadBytes),
    calledAt: at,
    attempt: context.attempt,
    context,
  };
}

/** A message of a workflow. An attempt of an internal activity delivers it. */
export function messageCall(
  { workflowId: senderId, started }: Performer,
  { name: action, input }: ActivityStartedEvent,
  context: ActivityContext,
  changes: CallChanges,
): CallOf<"signal" | "cancel"> {
  const { payload: stored, headers: own } = input as Message;
  const all = { ...input as Message, headers: mergeHeaders(context.headers, own, started.maxPayloadBytes), ...changes };
  const { workflowId, name, payload, headers, reason } = all;
  if (name === undefined) {
    checkOptionalString("reason", reason, action, workflowId);
    return { kind: "cancel", workflowId, reason };
  }
  checkText("name", name, action, workflowId);
  return {
    kind: "signal",
    workflowId,
    name,
    payload: payload === stored ? stored : toStored(payload, "payload of signal", name, started.maxPayloadBytes),
    headers: copyTexts("headers", headers, action, workflowId, started.maxPayloadBytes),
    signalId: context.idempotencyKey,
    senderId,
  };
}
