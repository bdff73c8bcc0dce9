/**
 * The context of workflow code that runs on Restate: that of an executor, with other ways to reach the world outside of the run.
 *
 * 1. Side effects, children and messages to other workflows are activities of the run: so each of them is one entry of Restate's
 *    journal or a call of another service, and an event of the history like any other.
 * 2. What Restate has no counterpart of is refused at the call, with the code `unsupported`.
 * 3. A replay of a stored history, for a query, uses the same context. It performs nothing.
 *
 * @module
 */

import {
  type ActivityContext,
  type ActivityOptions,
  isStoredFirst,
  optionsOf,
  validateActivity,
} from "../../activity.ts";
import type {
  ChildHandle,
  ChildOptions,
  CompensationOptions,
  ContinueAsOptions,
  MessageOptions,
  ScopeContext,
  ScopeOptions,
  Workflow,
  WorkflowContext,
} from "../../context.ts";
import type { AnyActivity, AnyWorkflow } from "../../options.ts";
import type { CallHeaders } from "../../types.ts";
import {
  cannot,
  checkFunction,
  checkOptionalString,
  checkOptions,
  checkText,
  checkTexts,
  definedName,
  noOptions,
} from "../../util/check.ts";
import { Deferred, isStrayPromise, quiet } from "../../util/deferred.ts";
import { show } from "../../util/show.ts";
import { validateChildOptions } from "../../history/start.ts";
import { toStored } from "../../history/value.ts";
import type { Outside } from "./outside.ts";
import { unsupported } from "./refusals.ts";
import type { DeliverRequest, Message, RunReference } from "./wire.ts";

type AnyContext = WorkflowContext<never> & Partial<Pick<ScopeContext, "cancel">>;
type Body = (ctx: AnyContext) => unknown;

/** The code of the workflows of a service. */
export class Code {
  readonly #workflows: Readonly<Record<string, Workflow<never>>>;
  readonly #names = new Map<unknown, string>();
  /** The activities that this module makes: they are no entries of the journal themselves. */
  readonly #own = new WeakSet<AnyActivity>();

  constructor(workflows: Readonly<Record<string, Workflow<never>>>) {
    this.#workflows = workflows;
    for (const [name, workflow] of Object.entries(workflows)) this.#names.set(workflow, name);
  }

  /**
   * The name under which a workflow is registered.
   *
   * @throws {TypeError} If it is not.
   */
  nameOf(workflow: Workflow<never>, action: string): string {
    const name = this.#names.get(workflow);
    if (name !== undefined) return name;
    const what = show(workflow.name || "anonymous");
    throw new TypeError(
      `${cannot(action)}: its function ${what} is not among the workflows of the service; add it there`,
    );
  }

  /**
   * The workflow of a name, as an executor runs it.
   *
   * @param outside What its run reaches; `undefined` where a stored history is replayed, which performs nothing.
   */
  workflows(name: string, outside: Outside | undefined): Readonly<Record<string, AnyWorkflow>> {
    if (!Object.hasOwn(this.#workflows, name)) return {};
    const workflow = this.#workflows[name];
    const wrap = (ctx: WorkflowContext) => this.#wrap(ctx, outside, { children: 0 }) as never;
    return { [name]: (ctx: WorkflowContext, input: never) => workflow(wrap(ctx), input) };
  }

  /** Whether this module made an activity: then it is called as it is. */
  isOwn(activity: AnyActivity): boolean {
    return this.#own.has(activity);
  }

  /** Notes an activity that this module makes. */
  ownActivity<In, Out>(activity: (input: In, context: ActivityContext) => Promise<Out>) {
    this.#own.add(activity as AnyActivity);
    return activity;
  }

  /** The context of a run or of a scope in it. */
  #wrap(ctx: AnyContext, outside: Outside | undefined, counts: { children: number }): AnyContext {
    const calls = new Calls(this, ctx, outside, counts);
    const within = (body: Body): Body => (inner) => body(this.#wrap(inner, outside, counts));
    /** Something that is no function is refused by the context itself, and so is a shield without a parameter. */
    const scoped =
      <Rest extends unknown[], Result>(method: (body: never, ...rest: Rest) => Result) =>
      (body: Body, ...rest: Rest): Result => {
        const usable = typeof body === "function" && body.length > 0;
        return method.call(ctx, (usable ? within(body) : body) as never, ...rest);
      };
    const mayUseOuter = (body: Body) =>
      typeof body === "function" && body.length === 0 ? () => body(ctx) : within(body);
    const own: Partial<Record<keyof ScopeContext, unknown>> = {
      // For the executor, the first turn of each run is a replay: the history has its first event. It knows of no other.
      ...(outside !== undefined && { isReplaying: false, log: outside.log(ctx) }),
      executeActivity: (activity: AnyActivity, input?: unknown, options: ActivityOptions = noOptions) => {
        try {
          const all = optionsOf(activity, options);
          const name = validateActivity(activity, all, "execute activity");
          refuseOptions(activity, all, name);
          return ctx.executeActivity(activity as never, input as never, options as never);
        } catch (error) {
          return Deferred.rejected(error);
        }
      },
      sideEffect: (body: () => unknown) => {
        try {
          checkFunction("body", body, "run side effect");
          const name = "sideEffect";
          return ctx.executeActivity(
            () => {
              const result = body();
              if (!isStrayPromise(result)) return result;
              throw new TypeError(
                `${cannot("run side effect")}: it returned a promise; use an activity for work that takes time`,
              );
            },
            undefined,
            { name },
          );
        } catch (error) {
          return Deferred.rejected(error);
        }
      },
      scope: scoped((body: never, options?: ScopeOptions) => ctx.scope(body, options)),
      shield: scoped((body: never, options?: ScopeOptions) => ctx.shield(body, options)),
      spawn: scoped((body: never, options?: ScopeOptions) => ctx.spawn(body, options)),
      addCompensation: (body: Body, options: CompensationOptions = noOptions) => {
        if (typeof body !== "function") return ctx.addCompensation(body, options);
        const name = body.name || undefined;
        const named = typeof options === "object" && options !== null && options.name === undefined &&
          name !== undefined;
        ctx.addCompensation(mayUseOuter(body), named ? { ...options, name } : options);
      },
      startChild: (workflow: Workflow<never>, input?: unknown, options?: ChildOptions) => {
        return calls.startChild(workflow, input, options).handle;
      },
      executeChild: (workflow: Workflow<never>, input?: unknown, options?: ChildOptions) => {
        try {
          return calls.startChild(workflow, input, options).result;
        } catch (error) {
          return Deferred.rejected(error);
        }
      },
      continueAsNew: (input?: unknown, options: Partial<ContinueAsOptions<never>> = noOptions) => {
        try {
          const { workflow } = Object(options);
          if (typeof workflow !== "function") return ctx.continueAsNew(input as never, options);
          // The executor of this invocation knows the name alone: another invocation runs it.
          const named = Object.defineProperty(() => {}, "name", { value: this.nameOf(workflow, "continue as new") });
          return ctx.continueAsNew(input as never, { ...options, workflow: named });
        } catch (error) {
          return Deferred.rejected(error);
        }
      },
      signalWorkflow: (id: string, signal: unknown, payload?: unknown, options?: MessageOptions) => {
        return calls.signal(id, undefined, signal, payload, options);
      },
      cancelWorkflow: (id: string, reason?: string) => calls.cancel(id, undefined, reason),
      setLabels: () => {
        throw unsupported("set labels", undefined, "them", "find the workflow by its ID");
      },
      patched: (changeId: string) => {
        checkText("changeId", changeId, "check for a patch");
        const way = "it runs each invocation to its end with the code of the deployment that began it";
        throw unsupported("check for a patch", changeId, "it", way);
      },
    };
    return new Proxy(ctx, {
      get(target, key) {
        if (Object.hasOwn(own, key)) return own[key as keyof ScopeContext];
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

type FirstRunId = () => Promise<string>;

/** The calls of one context that reach other workflows. */
class Calls {
  readonly #code: Code;
  readonly #ctx: AnyContext;
  /** `undefined` where nothing is performed. */
  readonly #outside: Outside | undefined;
  readonly #counts: { children: number };

  constructor(code: Code, ctx: AnyContext, outside: Outside | undefined, counts: { children: number }) {
    this.#code = code;
    this.#ctx = ctx;
    this.#outside = outside;
    this.#counts = counts;
  }

  startChild(
    workflow: Workflow<never>,
    input: unknown,
    options: ChildOptions = noOptions,
  ): { handle: ChildHandle; result: Promise<unknown> } {
    const action = "start child workflow";
    checkFunction("workflow", workflow, action);
    const ctx = this.#ctx;
    const outside = this.#outside;
    const name = this.#code.nameOf(workflow, action);
    validateChildOptions(options, action, name);
    const { timeoutMs, retry, parentClosePolicy: policy = "cancel" } = options;
    const { id = `${ctx.runId}:${this.#counts.children}` } = options;
    const headers = merge(ctx.headers, options.headers, action, id);
    const request = {
      name,
      input: toStored(input, "input of child workflow", name),
      headers,
      timeoutMs,
      parent: { workflowId: ctx.workflowId, runId: ctx.runId, seq: this.#counts.children++, closePolicy: policy },
    };
    let begun: Promise<RunReference> | undefined;
    const begin = () => begun ??= quiet(outside!.start(id, request));
    // A child that nobody waits for is started, also if its parent ends in this turn.
    if (policy === "abandon" && !ctx.signal.aborted && outside !== undefined) begin();
    const started = quiet(ctx.executeActivity(this.#code.ownActivity(begin), undefined, { name: `start ${name}` }));
    const result = quiet(ctx.executeActivity(
      this.#code.ownActivity(async (_: unknown, context: ActivityContext) => {
        if (context.attempt > 1) begun = undefined; // the failed child is started again
        const run = begin();
        const close = () => outside!.close(id, run, policy);
        if (policy !== "abandon") {
          if (context.signal.aborted) close();
          else context.signal.addEventListener("abort", close, { once: true });
        }
        try {
          return await outside!.result(await run);
        } finally {
          context.signal.removeEventListener("abort", close);
        }
      }),
      undefined,
      { name, retry },
    ));
    const firstRunId = async () => (await (begun ?? started as Promise<RunReference>)).firstRunId;
    const handle: ChildHandle = {
      id,
      get started() {
        return quiet(started.then(() => {}));
      },
      result: () => result as Promise<unknown>,
      signal: (signal: unknown, ...[payload, options]: [payload?: unknown, options?: MessageOptions]) => {
        return this.signal(id, firstRunId, signal, payload, options);
      },
      cancel: (reason?: string) => this.cancel(id, firstRunId, reason),
    } as ChildHandle;
    return { handle, result };
  }

  /** @param firstRunId Of the only chain that gets it; `undefined` for any. */
  signal(
    id: string,
    firstRunId: FirstRunId | undefined,
    signal: unknown,
    payload: unknown,
    options: MessageOptions = noOptions,
  ): Promise<void> {
    const action = "signal workflow";
    try {
      checkText("id", id, action);
      const name = definedName("signal", signal as string, action, id);
      checkOptions(options, { headers: true }, action, id);
      const stored = toStored(payload, "payload of signal", name);
      const headers = merge(this.#ctx.headers, options.headers, action, id);
      const senderId = this.#ctx.workflowId;
      return this.#send(id, action, firstRunId, ({ idempotencyKey }) => (
        { kind: "signal", name, payload: stored, id: idempotencyKey, senderId, headers }
      ));
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  cancel(id: string, firstRunId: FirstRunId | undefined, reason: string | undefined): Promise<void> {
    const action = "cancel workflow";
    try {
      checkText("id", id, action);
      checkOptionalString("reason", reason, action, id);
      return this.#send(id, action, firstRunId, () => ({ kind: "cancel", reason }));
    } catch (error) {
      return Deferred.rejected(error);
    }
  }

  #send(
    id: string,
    action: string,
    firstRunId: FirstRunId | undefined,
    toMessage: (context: ActivityContext) => Message,
  ): Promise<void> {
    const send = this.#code.ownActivity(async (_: unknown, context: ActivityContext) => {
      const request: DeliverRequest = { message: toMessage(context), firstRunId: await firstRunId?.() };
      await this.#outside!.deliver(id, action, request);
    });
    return quiet(this.#ctx.executeActivity(send, undefined, { name: action }) as Promise<void>);
  }
}

/** Refuses the options of an activity that Restate has no counterpart of. */
function refuseOptions(activity: AnyActivity, options: ActivityOptions, name: string): void {
  const action = "execute activity";
  if (options.atMostOnce) {
    const way =
      "an entry of its journal that has no outcome runs again; make the activity safe to repeat by its idempotencyKey";
    throw unsupported(action, name, `"atMostOnce"`, way);
  }
  if (options.heartbeatTimeoutMs !== undefined) {
    throw unsupported(action, name, `"heartbeatTimeoutMs"`, "use timeoutMs, or several activities");
  }
  if (isStoredFirst(activity)) {
    throw unsupported(action, name, "transactional()", "write under its idempotencyKey in a transaction of your own");
  }
}

function merge(own: CallHeaders, given: CallHeaders | undefined, action: string, id: string): CallHeaders {
  if (given === undefined) return own;
  return { ...own, ...Object.fromEntries(checkTexts("headers", given, action, id)) };
}
