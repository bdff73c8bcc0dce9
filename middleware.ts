/**
 * Middleware: functions that wrap calls.
 *
 * 1. A middleware sees the calls of an executor, the attempts of activities, the messages and children of workflows, and when workflow
 *    code is in memory. Arguments are checked and copied before: a call with a bad argument is refused without middleware.
 * 2. What a middleware changes is checked like what the caller gave. It is stored with the event, where one follows.
 * 3. If a middleware throws, the error is reported once to `onError`. The call is made as without it.
 *
 * @example Headers that follow a request from the caller to each activity
 * ```ts
 * import { type ActivityContext, Executor, type Middleware, type WorkflowContext } from "@rockpool/workflow";
 * import { assertEquals } from "@std/assert";
 *
 * const addTenant: Middleware = (call, next) =>
 *   call.kind === "execute" ? next({ headers: { ...call.headers, tenant: "acme" } }) : next();
 *
 * const charge = (_cents: number, { headers }: ActivityContext) => headers.tenant;
 * const order = (ctx: WorkflowContext, cents: number) => ctx.executeActivity(charge, cents);
 *
 * await using executor = new Executor({ middleware: [addTenant] });
 * const handle = await executor.execute(order, { input: 500 });
 * assertEquals(await handle.result(), "acme");
 * ```
 *
 * @module
 */

import type { ActivityContext } from "./activity.ts";
import type { ErrorReporter, RunInfo } from "./hooks.ts";
import type { CallHeaders, Labels, ParentRun, WorkflowStatus } from "./types.ts";
import { cannot, checkObject, invalid } from "./util/check.ts";
import { Deferred, isStrayPromise, quiet } from "./util/deferred.ts";
import { show } from "./util/show.ts";

/**
 * A call that middleware wraps. Its arguments were checked and copied. What it has by `name` depends on its `kind`.
 *
 * @category Observability
 */
export type MiddlewareCall =
  | {
    /** The start of a workflow by `Executor.execute`. */
    readonly kind: "execute";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The name under which the workflow is registered. */
    readonly name: string;
    /** The workflow's input. */
    readonly input: unknown;
    /** The labels of the run. */
    readonly labels: Labels;
    /** The headers of the run. The signals that are sent with the start get them too. */
    readonly headers: CallHeaders;
    /** The signals that are sent with the start. */
    readonly signals: readonly Extract<MiddlewareCall, { readonly kind: "signal" }>[];
  }
  | {
    /** A signal, from a caller or from a workflow. */
    readonly kind: "signal";
    /** The ID of the workflow that gets it. */
    readonly workflowId: string;
    /** The signal's name. */
    readonly name: string;
    /** The payload. */
    readonly payload: unknown;
    /** The headers. */
    readonly headers: CallHeaders;
    /** Identifies the signal. */
    readonly signalId: string;
    /** The sender, if it was given: the ID of the workflow that sends it. */
    readonly senderId: string | undefined;
  }
  | {
    /** A query. */
    readonly kind: "query";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The query's name. */
    readonly name: string;
    /** The arguments of the handler. */
    readonly args: readonly unknown[];
  }
  | {
    /** An update. */
    readonly kind: "update";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The update's name. */
    readonly name: string;
    /** The input of the handler. */
    readonly input: unknown;
    /** The headers. */
    readonly headers: CallHeaders;
    /** Identifies the request. */
    readonly updateId: string;
  }
  | {
    /** A cancellation, from a caller or from a workflow. */
    readonly kind: "cancel";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The reason, if one was given. */
    readonly reason: string | undefined;
  }
  | {
    /** A termination. */
    readonly kind: "terminate";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The reason, if one was given. */
    readonly reason: string | undefined;
  }
  | {
    /** A description of a workflow. */
    readonly kind: "describe";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** Whether the history was asked for. */
    readonly history: boolean;
  }
  | {
    /** An attempt of an activity. */
    readonly kind: "activity";
    /** The ID of the workflow that called the activity. */
    readonly workflowId: string;
    /** The ID of the run. */
    readonly runId: string;
    /** The name under which that workflow is registered. */
    readonly workflowName: string;
    /** The position of the command in the run. */
    readonly seq: number;
    /** The activity's name. */
    readonly name: string;
    /** The activity's input. */
    readonly input: unknown;
    /** What the activity finds in `context.headers`: the headers of the run, if no middleware changes them. */
    readonly headers: CallHeaders;
    /** When the workflow called the activity, in milliseconds since the epoch. */
    readonly calledAt: number;
    /** The attempt, counted from 1. */
    readonly attempt: number;
    /** The second argument of the activity. */
    readonly context: ActivityContext;
  }
  | {
    /** The start of a child workflow. A child that is found again after a restart is not started. */
    readonly kind: "startChild";
    /** The ID of the child. */
    readonly workflowId: string;
    /** The name under which the child's workflow is registered. */
    readonly name: string;
    /** The child's input. */
    readonly input: unknown;
    /** The headers of the child's run. */
    readonly headers: CallHeaders;
    /** The run that starts the child, and the position of its command. */
    readonly parent: ParentRun;
  }
  | {
    /**
     * A visit: workflow code is in the memory of this process. It begins when the code is called, at the start of a run or for a
     * replay, and ends when the run ends, becomes dormant or is suspended. `next()` resolves at the end, to a {@linkcode VisitEnd}.
     *
     * The code is called at once. A middleware that does not call `next()` at once wraps nothing.
     */
    readonly kind: "visit";
    /** The ID of the workflow. */
    readonly workflowId: string;
    /** The run. */
    readonly run: RunInfo;
    /** How many events are replayed; 0 for a new run. */
    readonly replayedEvents: number;
  };

/**
 * How a visit ends: the run has ended with a status or was continued as new, its code has left memory until something arrives, or
 * the run cannot be resumed here, because the executor closes for example.
 *
 * @category Observability
 */
export type VisitEnd = Exclude<WorkflowStatus, "running"> | "continued" | "dormant" | "suspended";

/**
 * What a middleware changes in a call. A value that is absent, `undefined`, or the same as that of the call changes nothing. The
 * values are checked and copied, as those of the caller.
 *
 * @category Observability
 */
export interface CallChanges {
  /** The name of a signal, a query or an update. The others have the name of a function. */
  readonly name?: string | undefined;
  /** The input. That of an activity or a child is changed for the attempt or the child; the history of the run keeps its own. */
  readonly input?: unknown;
  /** The payload of a signal. */
  readonly payload?: unknown;
  /** The arguments of a query. */
  readonly args?: readonly unknown[] | undefined;
  /** All headers of an `execute`, `signal`, `update`, `activity` or `startChild`: to add one, copy those of the call. */
  readonly headers?: CallHeaders | undefined;
  /** All labels of an `execute`. */
  readonly labels?: Labels | undefined;
  /** The reason of a cancellation or a termination. */
  readonly reason?: string | undefined;
}

/**
 * Wraps a call: it can do something before and after `next()`, and it returns what `next()` returns, or something else. It
 * may throw the error of `next()` again. The call is made by the first `next()`, with the changes that it is given. `next()`
 * rejects if they are not allowed.
 *
 * What it returns for `startChild` and `visit` does not matter; a child for which it does not call `next()` fails.
 *
 * @category Observability
 */
export type Middleware = (call: MiddlewareCall, next: (changes?: CallChanges) => Promise<unknown>) => unknown;

/** What middleware can change, if the call has it. */
const changeable = ["name", "input", "payload", "args", "headers", "labels", "reason"];

/**
 * Makes a call wrapped by middleware; the first is the outermost. If a middleware throws an error of its own, the error is
 * reported and the middleware is ignored: the call is made once, and its outcome is the result.
 *
 * @param middleware The middleware.
 * @param call The call, as the middleware sees it.
 * @param body Makes the call. It is called at most once, with the call as the middleware has changed it.
 * @param report Gets the errors that the middleware itself threw.
 * @param change Applies what a middleware changes. Throws if it is refused. By default it is not checked.
 * @returns What the outermost middleware returned.
 *
 * @category Observability
 *
 * @example
 * ```ts
 * import { applyMiddleware, type Middleware } from "@rockpool/workflow/middleware";
 * import { assertEquals } from "@std/assert";
 *
 * const shout: Middleware = async (_call, next) => `${await next()}!`;
 * const call = { kind: "query", workflowId: "a", name: "greeting", args: [] } as const;
 * assertEquals(await applyMiddleware([shout, shout], call, async () => "hi", console.error), "hi!!");
 * ```
 */
export function applyMiddleware<Call extends MiddlewareCall>(
  middleware: readonly Middleware[],
  call: Call,
  body: (call: Call) => Promise<unknown>,
  report: ErrorReporter,
  change: (call: Call, changes: CallChanges) => Call = (call, changes) => ({ ...call, ...changes }),
): Promise<unknown> {
  const tell = (error: unknown) => void isStrayPromise(report(error));
  const pass = async (call: Call, index: number): Promise<unknown> => {
    if (index === middleware.length) return await body(call);
    let inside: Promise<unknown> | undefined;
    const next = (changes?: CallChanges) => {
      if (inside !== undefined) return inside;
      try {
        inside = pass(changes === undefined ? call : changedCall(call, index, changes, change), index + 1);
      } catch (error) {
        return Deferred.rejected(error);
      }
      return quiet(inside); // a middleware may ignore it
    };
    const outermost = middleware[index];
    try {
      return await outermost(call, next);
    } catch (error) {
      const called = inside !== undefined;
      let answer: unknown;
      try {
        answer = await next();
      } catch (failure) {
        if (!called || failure !== error) tell(error);
        throw failure;
      }
      tell(error);
      return answer;
    }
  };
  return pass(call, 0);
}

/** The call that a middleware asks for. */
function changedCall<Call extends MiddlewareCall>(
  call: Call,
  index: number,
  changes: CallChanges,
  change: (call: Call, changes: CallChanges) => Call,
): Call {
  const action = `change the ${call.kind} call in middleware[${index}]`;
  checkObject("changes", changes, action);
  const hasOwnName = call.kind === "signal" || call.kind === "query" || call.kind === "update"; // not that of a function
  const names = changeable.filter((name) => name in call && (name !== "name" || hasOwnName));
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === call[name as keyof Call]) continue;
    if (!names.includes(name)) {
      const way = names.map(show).join(", ") || "nothing";
      throw new TypeError(`${cannot(action)}: ${show(name)} stays as it is; it can change ${way}`);
    }
    given[name] = value;
  }
  try {
    if (Object.keys(given).length === 0) return call;
    const changed = change(call, given);
    if (isStrayPromise(changed)) throw invalid("change()", changed, "no promise", action);
    return changed;
  } catch (cause) {
    throw new TypeError(`${cannot(action)}: ${(cause as Error | null)?.message ?? show(cause)}`, { cause });
  }
}
