/**
 * Checks of what the handlers get. The ingress of a Restate server takes requests from anybody: a bad one is refused with the status 400,
 * because Restate would otherwise try it again for ever.
 *
 * @module
 */

import {
  checkArray,
  checkChoice,
  checkNumber,
  checkObject,
  checkOptionalString,
  checkText,
  checkTexts,
} from "../../util/check.ts";
import { validateStart } from "../../history/start.ts";
import type { Handlers, RestateContext, RestateSdk } from "./sdk.ts";
import {
  type ContinueRequest,
  type DeliverRequest,
  type EndRequest,
  type Message,
  type Packed,
  type QueryRequest,
  type RunRequest,
  type StartRequest,
  unpack,
} from "./wire.ts";

/**
 * A handler of requests that were checked.
 *
 * @param check Throws if the request is bad.
 */
export function receives<T>(
  { TerminalError }: RestateSdk,
  check: (request: T) => void,
  handler: (ctx: RestateContext, request: T) => Promise<unknown>,
): Handlers[string] {
  return (async (ctx: RestateContext, json: Packed<T>) => {
    let request: T;
    try {
      request = unpack(json);
      check(request);
    } catch (error) {
      throw new TerminalError((error as Error).message, { errorCode: 400 });
    }
    return await handler(ctx, request);
  }) as Handlers[string];
}

export function checkStart(request: StartRequest): void {
  const action = "execute workflow";
  checkObject("request", request, action);
  const { name, signals = [], headers } = request;
  checkText("name", name, action);
  validateStart(request, action, name);
  checkTexts("headers", headers, action, name);
  for (const signal of signals) checkMessage(signal, action);
}

export function checkDeliver(request: DeliverRequest): void {
  const action = "deliver message";
  checkObject("request", request, action);
  checkOptionalString("firstRunId", request.firstRunId, action);
  checkMessage(request.message, action);
}

function checkMessage(message: Message, action: string): void {
  checkObject("message", message, action);
  const { kind } = message;
  checkText("kind", kind, action);
  checkChoice("kind", kind, ["signal", "update", "cancel", "terminate"], action);
  if (message.kind !== "signal" && message.kind !== "update") {
    return checkOptionalString("reason", message.reason, action);
  }
  checkText("name", message.name, action);
  if (message.kind === "update" || message.id !== undefined) checkText("id", message.id, action);
  if (message.kind === "signal") checkOptionalString("senderId", message.senderId, action);
  checkTexts("headers", message.headers, action);
}

export function checkQuery(request: QueryRequest): void {
  const action = "query workflow";
  checkObject("request", request, action);
  checkText("workflowId", request.workflowId, action);
  checkText("name", request.name, action);
  checkArray("args", request.args, action);
}

/** What only a run or a record sends. */
export function checkInner(request: RunRequest | EndRequest | ContinueRequest): void {
  const action = "continue workflow";
  checkObject("request", request, action);
  if ("runId" in request) return checkText("runId", request.runId, action);
  checkText("workflowId", request.workflowId, action);
  checkNumber("at", request.at, -Infinity, action);
  checkArray("events", request.events, action);
}
