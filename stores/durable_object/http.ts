/**
 * The HTTP face of the workflows of a Durable Object: JSON in, JSON out.
 *
 * 1. A body is JSON with the content type `application/json`. A page of another site cannot send that without being asked first.
 * 2. An answer names what is wrong with a request. It has no stack, and nothing of an error that was not meant for the caller.
 * 3. A request can be repeated: a start joins, a signal and an update are known by their `Idempotency-Key`.
 *
 * @module
 */

import { codeOf, WorkflowError } from "../../errors.ts";
import type { WorkflowDescription } from "../../options.ts";
import { show } from "../../util/show.ts";

/** What the face calls. */
export interface Calls {
  start(
    workflow: string,
    options: { id: string; input: unknown },
  ): Promise<{ readonly id: string; readonly runId: string }>;
  signal(id: string, name: string, payload: unknown, options: { signalId?: string | undefined }): Promise<void>;
  query(id: string, name: string, args: readonly unknown[]): Promise<unknown>;
  update(
    id: string,
    name: string,
    input: unknown,
    options: { updateId?: string | undefined; signal: AbortSignal },
  ): Promise<unknown>;
  cancel(id: string, reason?: string): Promise<void>;
  describe(id: string): Promise<WorkflowDescription>;
}

/** A request that is refused. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** For how long a request waits for the answer of an update. */
const ANSWER_MS = 30_000;

const STATUS_OF: Readonly<Record<string, number>> = {
  not_found: 404,
  unknown_workflow: 404,
  already_running: 409,
  already_finished: 409,
  conflict: 409,
  unsupported: 400,
  canceled: 409,
  terminated: 409,
  closed: 503,
  store_failed: 503,
};

const USE =
  "use PUT /ID, GET /ID, POST /ID/signals/NAME, POST /ID/updates/NAME, POST /ID/queries/NAME or POST /ID/cancel";

/**
 * Answers a request.
 *
 * @param maxBytes The largest body.
 * @param report Gets errors that are not the caller's.
 */
export async function answer(
  request: Request,
  calls: Calls,
  maxBytes: number,
  report: (error: unknown) => void,
): Promise<Response> {
  try {
    const [status, body] = await perform(request, calls, maxBytes);
    return toResponse(status, body);
  } catch (error) {
    await discard(request, 2 * maxBytes);
    if (error instanceof Refused) return toResponse(error.status, { error: { message: error.message } });
    const status = error instanceof WorkflowError ? STATUS_OF[error.code] : undefined;
    const { name, message } = error as Error;
    if (status !== undefined) return toResponse(status, { error: { code: codeOf(error), message } });
    if (name === "TimeoutError" && error instanceof DOMException) {
      const way = "repeat the request with the same Idempotency-Key, to get it later";
      return toResponse(504, {
        error: { code: "timeout", message: `There was no answer within ${ANSWER_MS} ms; ${way}` },
      });
    }
    report(error);
    return toResponse(500, { error: { message: "The request failed; the log of the object says why" } });
  }
}

async function perform(request: Request, calls: Calls, maxBytes: number): Promise<[status: number, body: unknown]> {
  const { method, headers, url } = request;
  const [id, action, name, ...rest] = segmentsOf(url);
  if (!id || rest.length > 0) throw new Refused(404, `Unknown path; ${USE}`);
  const key = headers.get("Idempotency-Key") ?? undefined;
  if (key !== undefined && (key === "" || key.startsWith("~"))) {
    throw new Refused(400, 'The header "Idempotency-Key" must not be empty, and must not begin with "~"');
  }
  switch (`${method} ${action ?? ""}${name === undefined ? "" : "/NAME"}`) {
    case "GET ":
      return [200, toPlain(await calls.describe(id))];
    case "PUT ": {
      const { workflow, input, ...others } = objectOf(await bodyOf(request, maxBytes), '{ "workflow": …, "input": … }');
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) {
        throw new Refused(400, `Unknown property ${show(unknown)}; use "workflow" and "input"`);
      }
      if (typeof workflow !== "string") throw new Refused(400, '"workflow" must be a string: the name of a workflow');
      return [202, await calls.start(workflow, { id, input })];
    }
    case "POST signals/NAME":
      await calls.signal(id, name, await bodyOf(request, maxBytes), { signalId: key });
      return [202, {}];
    case "POST updates/NAME": {
      const input = await bodyOf(request, maxBytes);
      const signal = AbortSignal.timeout(ANSWER_MS);
      return [200, { result: await ofCode(calls.update(id, name, input, { updateId: key, signal })) }];
    }
    case "POST queries/NAME": {
      const args = await bodyOf(request, maxBytes) ?? [];
      if (!Array.isArray(args)) throw new Refused(400, "The body must be a JSON array: the arguments of the query");
      return [200, { result: await ofCode(calls.query(id, name, args)) }];
    }
    case "POST cancel": {
      const body = await bodyOf(request, maxBytes);
      const { reason } = body === undefined ? {} : objectOf(body, '{ "reason": … }');
      if (reason !== undefined && typeof reason !== "string") throw new Refused(400, '"reason" must be a string');
      await calls.cancel(id, reason as string | undefined);
      return [202, {}];
    }
    default:
      throw new Refused(405, `Cannot ${method} this path; ${USE}`);
  }
}

/** What a handler of the workflow throws is for the caller: the validation of an update, for example. */
async function ofCode(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WorkflowError || error instanceof DOMException) throw error;
    throw new Refused(422, (error as Error)?.message ?? String(error));
  }
}

function segmentsOf(url: string): string[] {
  try {
    return new URL(url).pathname.slice(1).split("/").map(decodeURIComponent);
  } catch {
    throw new Refused(400, "The path is not valid: a % must be followed by two hexadecimal digits of UTF-8");
  }
}

/** The JSON of a body; `undefined` if it is empty. */
async function bodyOf(request: Request, maxBytes: number): Promise<unknown> {
  const tooLarge = () => new Refused(413, `The body has more than ${maxBytes} bytes`);
  if (Number(request.headers.get("Content-Length")) > maxBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (let part; reader !== undefined && !(part = await reader.read()).done;) {
    size += part.value.length;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge();
    }
    parts.push(part.value);
  }
  if (size === 0) return undefined;
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get("Content-Type") ?? "")) {
    throw new Refused(415, 'A body must have the header "Content-Type: application/json"');
  }
  const bytes = new Uint8Array(size);
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    throw new Refused(400, "The body is not valid JSON in UTF-8");
  }
}

/** Reads a body that nobody has read: otherwise workerd may close the connection before the next request, or before the answer. */
async function discard(request: Request, maxBytes: number): Promise<void> {
  if (request.body === null || request.bodyUsed) return;
  try {
    const reader = request.body.getReader();
    for (let size = 0, part; size < maxBytes && !(part = await reader.read()).done;) size += part.value.length;
    await reader.cancel();
  } catch {
    // the sender is gone
  }
}

function objectOf(body: unknown, use: string): Record<string, unknown> {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new Refused(400, `The body must be a JSON object: ${use}`);
}

/** What a description says to a stranger: no input, no labels, no stack. */
function toPlain(description: WorkflowDescription): Record<string, unknown> {
  const { id, runId, workflowName, status, createdAt, updatedAt, result, error } = description;
  const failure = error && { name: error.name, message: error.message };
  return { id, runId, workflow: workflowName, status, createdAt, updatedAt, result, error: failure };
}

function toResponse(status: number, body: unknown): Response {
  let text: string;
  try {
    text = JSON.stringify(body);
  } catch {
    const message = "The answer cannot be written as JSON: call the object by RPC";
    [status, text] = [500, JSON.stringify({ error: { message } })];
  }
  const headers = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  };
  return new Response(`${text}\n`, { status, headers });
}
