/**
 * The calls of a client and of its handles to a chain of runs, over the ingress of a Restate server.
 *
 * @module
 */

import type { UpdateDefinition } from "../../definitions.ts";
import { workflowError } from "../../errors.ts";
import type { ResultOptions, SignalOptions, UpdateOptions } from "../../options.ts";
import type { CallHeaders, WorkflowState } from "../../types.ts";
import { applyBatch } from "../../history/history.ts";
import { handOut, toStored } from "../../history/value.ts";
import { abortable } from "../../util/abortable.ts";
import {
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
import { type Ingress, pause } from "./ingress.ts";
import { notFound } from "./refusals.ts";
import {
  type Answer,
  type DeliverRequest,
  type Described,
  type Message,
  type Refusal,
  type RunReference,
  type RunResult,
  settle,
  type UpdateAnswer,
} from "./wire.ts";

/** When a client that waits for an answer looks whether the run was killed. */
const LOOK_AFTER_MS = 5_000;

/** A chain of runs; without `firstRunId`, the current one of the ID. */
export interface Target {
  readonly id: string;
  readonly firstRunId?: string | undefined;
}

export class Calls {
  readonly #ingress: Ingress;

  constructor(ingress: Ingress) {
    this.#ingress = ingress;
  }

  signal(target: Target, signal: unknown, payload: unknown, options: SignalOptions = noOptions): Promise<void> {
    const action = "signal workflow";
    return quiet((async () => {
      checkText("id", target.id, action);
      await this.#deliver(target, action, signalMessage(signal, payload, options, action));
    })());
  }

  query(target: Target, query: unknown, args: readonly unknown[]): Promise<unknown> {
    const action = "query workflow";
    return quiet((async () => {
      const name = definedName("query", query as string, action, target.id);
      const request = {
        workflowId: target.id,
        name,
        args: toStored(args, "arguments of query", name) as readonly unknown[],
      };
      const described = () => this.describe(target, action);
      const answer = await this.#askRun<typeof request, Answer>("query", request, described);
      if (answer === undefined) throw workflowError("not_found", action, target.id, "Restate has no history of it");
      return settle(answer.value);
    })());
  }

  update(target: Target, update: unknown, given: unknown, options: UpdateOptions = noOptions): Promise<unknown> {
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

  finish(kind: "cancel" | "terminate", target: Target, reason: string | undefined): Promise<void> {
    const action = `${kind} workflow`;
    return quiet((async () => {
      checkText("id", target.id, action);
      checkOptionalString("reason", reason, action, target.id);
      await this.#deliver(target, action, { kind, reason });
    })());
  }

  /** See `RestateClient.load()`. */
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

  async result(target: Target, options: ResultOptions = noOptions): Promise<unknown> {
    const action = "wait for workflow";
    checkOptions(options, { signal: true }, action, target.id);
    const { signal } = options;
    checkSignal(signal, action, target.id);
    for (;;) {
      const { runId, outcome } = await abortable(this.describe(target, action), signal);
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

  async describe(target: Target, action: string): Promise<Described> {
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

export function headersOf(headers: CallHeaders | undefined, action: string, id: unknown): CallHeaders | undefined {
  return headers === undefined ? undefined : Object.fromEntries(checkTexts("headers", headers, action, id));
}

export function signalMessage(
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
