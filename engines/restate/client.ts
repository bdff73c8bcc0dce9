/**
 * The client: the calls of an executor, over the ingress of a Restate server. It needs `fetch` and nothing of Restate.
 *
 * The module is longer than 500 lines: most of them are the doc comments of the calls.
 *
 * @module
 */

import type { InputArgs, Workflow, WorkflowFunction } from "../../context.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../../definitions.ts";
import { codeOf, workflowError } from "../../errors.ts";
import type { WorkflowHandle } from "../../executor.ts";
import type { ExecuteArgs, ExecuteOptions, ResultOptions, SignalOptions, UpdateOptions } from "../../options.ts";
import type { CallHeaders, DeepReadonly, WorkflowState } from "../../types.ts";
import { reasonText } from "../../history/error_record.ts";
import { applyBatch } from "../../history/history.ts";
import { validateExecuteOptions } from "../../history/start.ts";
import { handOut, toStored } from "../../history/value.ts";
import { abortable, onAbort } from "../../util/abortable.ts";
import {
  cannot,
  checkFunction,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkOptions,
  checkSignal,
  checkText,
  checkTexts,
  definedName,
  invalid,
  noOptions,
} from "../../util/check.ts";
import { Deferred, isStrayPromise, quiet } from "../../util/deferred.ts";
import { randomId } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import { Ingress, pause } from "./ingress.ts";
import { notFound, unsupported } from "./refusals.ts";
import {
  type Answer,
  checkServiceName,
  type DeliverRequest,
  type Described,
  type Message,
  type Refusal,
  type RunReference,
  type RunResult,
  serviceNames,
  settle,
  type Started,
  type StartRequest,
  type UpdateAnswer,
} from "./wire.ts";

/**
 * Options of a {@linkcode RestateClient}.
 *
 * @category Restate
 */
export interface RestateClientOptions {
  /**
   * The workflows by name, as the services have them: they give a function its name.
   *
   * @default {a function has its own name}
   */
  // deno-lint-ignore no-explicit-any -- workflows of any input
  readonly workflows?: Readonly<Record<string, (ctx: any, input: any) => unknown>> | undefined;
  /**
   * The name of the services; that of `restateServices`.
   *
   * @default {"rockpool"}
   */
  readonly name?: string | undefined;
  /**
   * Headers of each request, such as `authorization`.
   *
   * @default {none}
   */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * How long a call is repeated while the server does not answer, in milliseconds, from 0. A repeated call takes effect once.
   *
   * @default {30000}
   */
  readonly retryForMs?: number | undefined;
  /**
   * Makes the requests.
   *
   * @default {the global fetch}
   */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

/**
 * Access to one run on Restate, and to the runs that continue it as new.
 *
 * @category Restate
 */
export type RestateHandle<Result = unknown> = Omit<WorkflowHandle<Result>, "status" | "describe">;

const clientOptions: Readonly<Record<keyof RestateClientOptions, true>> = {
  workflows: true,
  name: true,
  headers: true,
  retryForMs: true,
  fetch: true,
};

/** When a client that waits for an answer looks whether the run was killed. */
const LOOK_AFTER_MS = 5_000;

/** A chain of runs; without `firstRunId`, the current one of the ID. */
interface Target {
  readonly id: string;
  readonly firstRunId?: string | undefined;
}

/**
 * Starts workflows on Restate and talks to them, with the calls of an `Executor`.
 *
 * Await every call: the error of a call that nobody awaits is lost.
 *
 * @category Restate
 */
export class RestateClient {
  readonly #ingress: Ingress;
  readonly #workflows = new Map<unknown, string>();

  /**
   * Makes a client. It sends nothing until it is called.
   *
   * @param ingress The address of the server's ingress, such as `http://localhost:8080`.
   * @param options The options.
   * @throws {TypeError} If an argument is invalid or an option is unknown.
   * @throws {RangeError} If `retryForMs` is out of its range.
   */
  constructor(ingress: string | URL, options: RestateClientOptions = noOptions) {
    const action = "create a Restate client";
    checkOptions(options, clientOptions, action);
    const { workflows = {}, name = "rockpool", headers = {}, retryForMs = 30_000 } = options;
    const { fetch = (url, init) => globalThis.fetch(url, init) } = options;
    if (!URL.canParse(`${ingress}`)) {
      throw invalid("ingress", ingress, 'an address such as "http://localhost:8080"', action);
    }
    checkServiceName(name, action);
    checkObject("workflows", workflows, action);
    for (const [key, workflow] of Object.entries(workflows)) {
      checkFunction(`workflows.${key}`, workflow, action);
      this.#workflows.set(workflow, key);
    }
    checkNumber("retryForMs", retryForMs, 0, action);
    checkFunction("fetch", fetch, action);
    this.#ingress = new Ingress({
      url: new URL(ingress).href.replace(/\/$/, ""),
      names: serviceNames(name),
      headers: Object.fromEntries(checkTexts("headers", headers, action)),
      retryForMs,
      fetch,
    });
  }

  /**
   * Starts a workflow. See `Executor.execute`. With a `signal`, one request stays open until the workflow has ended.
   *
   * @param workflow The function, or the name under which the services have it.
   * @param args The options.
   * @returns A handle, once Restate has stored the start.
   * @throws {WorkflowError} With code `already_running` or `already_finished` as `onConflict` and `reuse` say; `not_found` if it joins
   * a finished workflow that takes no `signals`; `unknown_workflow` if the services have no workflow of that name; `unsupported` with
   * `labels`; `store_failed` if the server does not answer.
   * @throws {TypeError} If an argument is bad or the input cannot be stored.
   * @throws {RangeError} If a time among the options is out of its range.
   */
  // deno-lint-ignore no-explicit-any -- signals of any payload
  execute<Input, Returned, Signals extends readonly unknown[] = readonly any[]>(
    workflow: WorkflowFunction<Input, Returned> | string,
    ...args: ExecuteArgs<Input, Signals>
  ): Promise<RestateHandle<DeepReadonly<Awaited<Returned>>>> {
    return quiet(this.#execute(workflow as Workflow<never>, args[0] as ExecuteOptions)) as Promise<never>;
  }

  async #execute(workflow: unknown, options: ExecuteOptions = noOptions): Promise<RestateHandle> {
    const action = "execute workflow";
    checkObject("options", options, action);
    const { id = randomId() } = options;
    checkText("id", id, action);
    validateExecuteOptions(options, action, id);
    const name = this.#nameOf(workflow, action, id);
    const { timeoutMs, startAfterMs, startAt, onConflict, reuse, signal, signals = [], labels } = options;
    if (labels !== undefined) throw unsupported(action, id, '"labels"', "find the workflow by its ID");
    const headers = headersOf(options.headers, action, id);
    const request: StartRequest = {
      name,
      input: toStored(options.input, "input of workflow", name),
      headers,
      ...{ timeoutMs, startAfterMs, startAt, onConflict, reuse },
      signals: Array.from(signals, (one, i) => {
        checkObject(`signals[${i}]`, one, action, id);
        const { signal, name = signal, payload, ...rest } = one as {
          signal?: unknown;
          name?: unknown;
          payload?: unknown;
        };
        return signalMessage(name, payload, rest, action, headers);
      }),
    };
    signal?.throwIfAborted();
    const answer = await this.#ingress.call<StartRequest, Started | Refusal>("record", id, "start", request);
    if ("refused" in answer) {
      const { refused: code, status, known = [] } = answer;
      if (code === "not_found") throw notFound(action, id, answer);
      if (code === "unknown_workflow") {
        const names = known.map(show).join(", ") || "none";
        throw workflowError(code, action, id, `the services have no workflow ${show(name)}; they have ${names}`);
      }
      const why = code === "already_running"
        ? 'it is running already; pass onConflict "join" for its handle'
        : `its status is ${show(status)}, and "reuse" is ${show(reuse)}`;
      throw workflowError(code, action, id, why);
    }
    const handle = this.#handle(id, answer);
    if (signal !== undefined && !answer.isJoined) this.#cancelOnAbort({ id, firstRunId: answer.firstRunId }, signal);
    return handle;
  }

  /** Cancels a workflow when a signal is aborted, until it has ended: a request that stays open tells. */
  #cancelOnAbort(target: Target, signal: AbortSignal): void {
    const cancel = () => void this.#finish("cancel", target, reasonText(signal.reason));
    if (signal.aborted) return cancel();
    const forget = onAbort(signal, cancel);
    this.#result(target).then(forget, (error) => {
      if (codeOf(error) !== "store_failed") forget(); // else it may run still
    });
  }

  #nameOf(workflow: unknown, action: string, id: string): string {
    if (typeof workflow === "string") {
      checkText("workflow", workflow, action, id);
      return workflow;
    }
    checkFunction("workflow", workflow, action, id);
    const { name } = workflow as Workflow;
    const known = this.#workflows.get(workflow) ?? name;
    if (known !== "") return known;
    throw new TypeError(`${cannot(action, id)}: its function has no name; pass it to the client in "workflows"`);
  }

  /**
   * Returns a handle to the current run of a workflow.
   *
   * @param id The workflow's ID.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow; `store_failed` if the server does not answer.
   * @throws {TypeError} If `id` is no text, or empty.
   */
  handle<Result = unknown>(id: string): Promise<RestateHandle<DeepReadonly<Result>>> {
    return quiet((async () => this.#handle(id, await this.#describe({ id }, "find workflow")) as never)());
  }

  /**
   * Sends a signal to a running workflow. See `Executor.signal`.
   *
   * @param id The workflow's ID.
   * @param signal The name that the workflow receives it under, or its definition.
   * @param args The payload, and the options.
   * @returns When Restate has stored the signal.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `store_failed` if the server does not
   * answer.
   * @throws {TypeError} If an argument is bad or the payload cannot be stored.
   */
  signal<Payload = unknown>(
    id: string,
    signal: string | SignalDefinition<Payload>,
    ...args: InputArgs<NoInfer<DeepReadonly<Payload>>, SignalOptions>
  ): Promise<void> {
    return this.#signal({ id }, signal, args[0], args[1]);
  }

  #signal(target: Target, signal: unknown, payload: unknown, options: SignalOptions = noOptions): Promise<void> {
    const action = "signal workflow";
    return quiet((async () => {
      checkText("id", target.id, action);
      await this.#deliver(target, action, signalMessage(signal, payload, options, action));
    })());
  }

  /**
   * Asks a workflow, running or finished, a question: a worker replays its history for the answer. See `Executor.query`.
   *
   * @param id The workflow's ID.
   * @param query What the workflow handles by `ctx.handleQuery`.
   * @param args The arguments of the handler.
   * @returns A copy of what the handler answered.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, it has no such handler, or Restate has dropped its
   * history; `store_failed` if the server does not answer.
   * @throws {TypeError} If an argument is bad or the answer cannot be stored.
   * @throws What the handler throws.
   */
  query<Result = unknown, Args extends readonly unknown[] = readonly unknown[]>(
    id: string,
    query: string | QueryDefinition<Result, Args>,
    ...args: Args
  ): Promise<DeepReadonly<Result>> {
    return this.#query({ id }, query, args) as Promise<DeepReadonly<Result>>;
  }

  #query(target: Target, query: unknown, args: readonly unknown[]): Promise<unknown> {
    const action = "query workflow";
    return quiet((async () => {
      const name = definedName("query", query as string, action, target.id);
      const request = {
        workflowId: target.id,
        name,
        args: toStored(args, "arguments of query", name) as readonly unknown[],
      };
      const described = () => this.#describe(target, action);
      const answer = await this.#askRun<typeof request, Answer>("query", request, described);
      if (answer === undefined) throw workflowError("not_found", action, target.id, "Restate has no history of it");
      return settle(answer.value);
    })());
  }

  /**
   * Asks a workflow to do something, and waits for its answer. See `Executor.update`.
   *
   * @param id The workflow's ID.
   * @param update What the workflow handles by `ctx.handleUpdate`.
   * @param args The input of the handler, and the options.
   * @returns What the handler returned, as it is stored.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, or it ends without such a handler or before it has
   * answered; `store_failed` if the server does not answer.
   * @throws {TypeError} If an argument is bad or cannot be stored.
   * @throws What the validation or the handler throws; the reason of `signal`.
   */
  update<Result = unknown, Input = unknown>(
    id: string,
    update: string | UpdateDefinition<Result, Input>,
    ...args: InputArgs<NoInfer<DeepReadonly<Input>>, UpdateOptions>
  ): Promise<DeepReadonly<Result>> {
    return this.#update({ id }, update, args[0], args[1]) as Promise<DeepReadonly<Result>>;
  }

  #update(target: Target, update: unknown, given: unknown, options: UpdateOptions = noOptions): Promise<unknown> {
    const action = "update workflow";
    return quiet((async () => {
      const { id } = target;
      checkText("id", id, action);
      const name = definedName("update", update as string, action, id);
      checkOptions(options, { updateId: true, headers: true, signal: true }, action, id);
      const { updateId = randomId(), signal } = options;
      if (options.updateId !== undefined) checkMessageId("updateId", updateId, action, id);
      checkSignal(signal, action, id);
      signal?.throwIfAborted();
      const input = toStored(given, "input of update", name);
      if (typeof update === "object") {
        const answer: unknown = (update as UpdateDefinition).validate?.(handOut(input) as never);
        if (isStrayPromise(answer)) throw invalid("validate()", answer, "no promise", action, id);
      }
      const headers = headersOf(options.headers, action, id);
      let { runId } = await this.#deliver(target, action, { kind: "update", name, input, id: updateId, headers });
      for (;;) {
        const answer = await this.#answer(id, runId, updateId, signal);
        if (!("passedTo" in answer)) return settle(answer);
        runId = answer.passedTo;
      }
    })());
  }

  /** The answer to an update. If it does not come soon, the client looks whether the invocation of the run was killed. */
  async #answer(id: string, runId: string, updateId: string, signal: AbortSignal | undefined): Promise<UpdateAnswer> {
    const done = new AbortController();
    const options = { asIs: true, signal: done.signal };
    const answer = this.#ingress.call<string, UpdateAnswer>("run", runId, "answer", updateId, options);
    const looks = async () => {
      await pause(LOOK_AFTER_MS, done.signal);
      if (await this.#ingress.attach(runId, done.signal) !== undefined) return; // it has answered before its end
      await this.#watch(id);
      refused.reject(notFound("update workflow", id, { status: "canceled" }));
    };
    const refused = new Deferred<never>();
    quiet(looks());
    try {
      return await abortable(Promise.race([quiet(answer), refused.promise]), signal);
    } finally {
      done.abort();
    }
  }

  /**
   * Asks a workflow to end: its waits reject with a `CanceledError`. See `Executor.cancel`.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When Restate has stored the request.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow, or it has ended otherwise than by a cancellation;
   * `store_failed` if the server does not answer.
   * @throws {TypeError} If `reason` is not a string.
   */
  cancel(id: string, reason?: string): Promise<void> {
    return this.#finish("cancel", { id }, reason);
  }

  /**
   * Ends a workflow without its consent. See `Executor.terminate`.
   *
   * @param id The workflow's ID.
   * @param reason Why, for the history and the error.
   * @returns When Restate has stored the request.
   * @throws {WorkflowError} With code `not_found` if there is no such workflow or it has ended; `store_failed` if the server does not
   * answer.
   * @throws {TypeError} If `reason` is not a string.
   */
  terminate(id: string, reason?: string): Promise<void> {
    return this.#finish("terminate", { id }, reason);
  }

  #finish(kind: "cancel" | "terminate", target: Target, reason: string | undefined): Promise<void> {
    const action = `${kind} workflow`;
    return quiet((async () => {
      checkText("id", target.id, action);
      checkOptionalString("reason", reason, action, target.id);
      await this.#deliver(target, action, { kind, reason });
    })());
  }

  /**
   * Reads the state of a workflow with the history of its current run, for pictures and tests.
   *
   * @param id The workflow's ID.
   * @returns The state; `null` if there is no such workflow, or Restate has dropped the history after its `retentionMs`.
   * @throws {WorkflowError} With code `store_failed` if the server does not answer.
   * @throws {TypeError} If `id` is no text, or empty.
   */
  load(id: string): Promise<WorkflowState | null> {
    return quiet((async () => {
      checkText("id", id, "load workflow");
      const described = () => this.#find(id);
      const answer = await this.#askRun<undefined, WorkflowState["history"][]>("history", undefined, described);
      if (answer === undefined) return null;
      const { runId, value } = answer;
      let state: WorkflowState | null = null;
      for (const events of value) {
        state = applyBatch(state, { workflowId: id, runId, expectedLength: state?.history.length ?? 0, events });
      }
      return state;
    })());
  }

  #handle(id: string, { runId, firstRunId }: RunReference): RestateHandle {
    const target = { id, firstRunId };
    return {
      id,
      runId,
      result: (options?: ResultOptions) => quiet(this.#result(target, options)) as Promise<never>,
      signal: (signal: unknown, payload?: unknown, options?: SignalOptions) =>
        this.#signal(target, signal, payload, options),
      query: (query: unknown, ...args: readonly unknown[]) => this.#query(target, query, args) as Promise<never>,
      update: (update: unknown, input?: unknown, options?: UpdateOptions) => {
        return this.#update(target, update, input, options) as Promise<never>;
      },
      cancel: (reason?: string) => this.#finish("cancel", target, reason),
      terminate: (reason?: string) => this.#finish("terminate", target, reason),
    } as RestateHandle;
  }

  async #result(target: Target, options: ResultOptions = noOptions): Promise<unknown> {
    const action = "wait for workflow";
    checkOptions(options, { signal: true }, action, target.id);
    const { signal } = options;
    checkSignal(signal, action, target.id);
    for (;;) {
      const { runId, outcome } = await abortable(this.#describe(target, action), signal);
      if (outcome !== undefined) return settle(outcome);
      const attached = this.#ingress.attach<RunResult>(runId, signal);
      const ended = await abortable(quiet(attached), signal);
      if (ended === undefined) await abortable(quiet(this.#watch(target.id)), signal);
      else if (ended.status !== "continued") return settle(ended);
    }
  }

  /** Lets the record look whether the invocation of its current run was killed. */
  #watch(id: string): Promise<void> {
    return this.#ingress.call("record", id, "watch", undefined);
  }

  #find(id: string): Promise<Described | undefined> {
    return this.#ingress.call("record", id, "describe", undefined);
  }

  /**
   * Asks the current run for what follows from its history. A run that was sent off may not have begun: then it is asked again.
   *
   * @returns `undefined` if there is no history.
   */
  async #askRun<In, Out>(
    method: "query" | "history",
    request: In,
    describe: () => Promise<Described | undefined>,
  ): Promise<{ readonly runId: string; readonly value: Out } | undefined> {
    const { retryForMs } = this.#ingress;
    for (let waitedMs = 0, delayMs = 20;; waitedMs += delayMs, delayMs = Math.min(2 * delayMs, 500)) {
      const described = await describe();
      if (described === undefined) return undefined;
      const { runId, status } = described;
      const value = await this.#ingress.call<In, Out | undefined>("run", runId, method, request);
      if (value !== undefined) return { runId, value };
      if (status !== "running" || waitedMs + delayMs > retryForMs) return undefined;
      await pause(delayMs);
    }
  }

  async #describe(target: Target, action: string): Promise<Described> {
    const { id, firstRunId } = target;
    checkText("id", id, action);
    const described = await this.#find(id);
    if (described === undefined) throw notFound(action, id, {});
    if (firstRunId === undefined || described.firstRunId === firstRunId) return described;
    throw workflowError("not_found", action, id, "another run has replaced it");
  }

  async #deliver(target: Target, action: string, message: Message): Promise<RunReference> {
    const { id, firstRunId } = target;
    const request: DeliverRequest = { message, firstRunId };
    const answer = await this.#ingress.call<DeliverRequest, RunReference | Refusal>("record", id, "deliver", request);
    if ("refused" in answer) throw notFound(action, id, answer);
    return answer;
  }
}

function headersOf(headers: CallHeaders | undefined, action: string, id: unknown): CallHeaders | undefined {
  return headers === undefined ? undefined : Object.fromEntries(checkTexts("headers", headers, action, id));
}

function signalMessage(
  signal: unknown,
  payload: unknown,
  options: SignalOptions,
  action: string,
  headers?: CallHeaders,
): Message {
  const name = definedName("signal", signal as string, action);
  checkOptions(options, { signalId: true, senderId: true, headers: true }, action, name);
  const { signalId, senderId } = options;
  if (signalId !== undefined) checkMessageId("signalId", signalId, action, name);
  checkOptionalString("senderId", senderId, action, name);
  const all = { ...headers, ...headersOf(options.headers, action, name) };
  return {
    kind: "signal",
    name,
    payload: toStored(payload, "payload of signal", name),
    id: signalId,
    senderId,
    headers: all,
  };
}

function checkMessageId(option: string, id: string, action: string, subject: unknown): void {
  checkText(option, id, action, subject);
  if (id.startsWith("~")) throw invalid(option, id, 'a text that does not begin with "~"', action, subject);
}
