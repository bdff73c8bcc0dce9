/**
 * The client: the calls of an executor, over the ingress of a Restate server. It needs `fetch` and nothing of Restate.
 *
 * @module
 */

import type { InputArgs, Workflow, WorkflowFunction } from "../../context.ts";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../../definitions.ts";
import { codeOf, workflowError } from "../../errors.ts";
import type { WorkflowHandle } from "../../executor.ts";
import type { ExecuteArgs, ExecuteOptions, ResultOptions, SignalOptions, UpdateOptions } from "../../options.ts";
import type { DeepReadonly, WorkflowState } from "../../types.ts";
import { reasonText } from "../../history/error_record.ts";
import { validateExecuteOptions } from "../../history/start.ts";
import { toStored } from "../../history/value.ts";
import { onAbort } from "../../util/abortable.ts";
import {
  cannot,
  checkFunction,
  checkNumber,
  checkObject,
  checkOptions,
  checkText,
  checkTexts,
  invalid,
  noOptions,
} from "../../util/check.ts";
import { quiet } from "../../util/deferred.ts";
import { randomId } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import { Calls, headersOf, signalMessage, type Target } from "./calls.ts";
import { Ingress } from "./ingress.ts";
import { notFound, unsupported } from "./refusals.ts";
import {
  checkServiceName,
  type Refusal,
  type RunReference,
  serviceNames,
  type Started,
  type StartRequest,
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

/**
 * Starts workflows on Restate and talks to them, with the calls of an `Executor`.
 *
 * Await every call: the error of a call that nobody awaits is lost.
 *
 * @category Restate
 */
export class RestateClient {
  readonly #ingress: Ingress;
  readonly #calls: Calls;
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
    this.#calls = new Calls(this.#ingress);
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
    const cancel = () => void this.#calls.finish("cancel", target, reasonText(signal.reason));
    if (signal.aborted) return cancel();
    const forget = onAbort(signal, cancel);
    this.#calls.result(target).then(forget, (error) => {
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
    return quiet((async () => this.#handle(id, await this.#calls.describe({ id }, "find workflow")) as never)());
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
    return this.#calls.signal({ id }, signal, args[0], args[1]);
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
    return this.#calls.query({ id }, query, args) as Promise<DeepReadonly<Result>>;
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
    return this.#calls.update({ id }, update, args[0], args[1]) as Promise<DeepReadonly<Result>>;
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
    return this.#calls.finish("cancel", { id }, reason);
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
    return this.#calls.finish("terminate", { id }, reason);
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
    return this.#calls.load(id);
  }

  #handle(id: string, { runId, firstRunId }: RunReference): RestateHandle {
    const target = { id, firstRunId };
    return {
      id,
      runId,
      result: (options?: ResultOptions) => quiet(this.#calls.result(target, options)) as Promise<never>,
      signal: (signal: unknown, payload?: unknown, options?: SignalOptions) =>
        this.#calls.signal(target, signal, payload, options),
      query: (query: unknown, ...args: readonly unknown[]) => this.#calls.query(target, query, args) as Promise<never>,
      update: (update: unknown, input?: unknown, options?: UpdateOptions) => {
        return this.#calls.update(target, update, input, options) as Promise<never>;
      },
      cancel: (reason?: string) => this.#calls.finish("cancel", target, reason),
      terminate: (reason?: string) => this.#calls.finish("terminate", target, reason),
    } as RestateHandle;
  }
}
