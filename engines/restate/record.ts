/**
 * The record of a workflow: a virtual object of Restate by the workflow's ID. It says which run is the current one, numbers the messages
 * to it, and keeps how it ended.
 *
 * 1. Its handlers run one after the other for an ID, and each is short: so messages have one order, and each is accepted by a run
 *    that has not ended.
 * 2. A message is a signal of Restate to the invocation of the run, under its number. Restate keeps it until the run asks for it.
 * 3. A run that ends asks how many messages were accepted. It takes those that it has not seen: the next run of the chain gets them.
 * 4. A run whose invocation was killed in Restate cannot say so. Whoever ends it, or waits for it in vain, lets the record look.
 *
 * @module
 */

import { WorkflowError } from "../../errors.ts";
import { toErrorRecord } from "../../history/error_record.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowStatus } from "../../types.ts";
import { show } from "../../util/show.ts";
import { checkDeliver, checkInner, checkStart, receives } from "./requests.ts";
import { callOf, type Handlers, type RestateContext, type RestateSdk } from "./sdk.ts";
import {
  type Continued,
  type ContinueRequest,
  type DeliverRequest,
  type Described,
  type EndRequest,
  type Message,
  type Numbered,
  type Outcome,
  pack,
  type Packed,
  type Refusal,
  type RunReference,
  type RunRequest,
  serviceNames,
  type Started,
  type StartRequest,
  unpack,
} from "./wire.ts";

/** What is stored under {@linkcode KEY}. */
interface Stored extends Described {
  /** How many messages were accepted for the current run. */
  readonly messages: number;
  /** Whether a cancellation is among them. */
  readonly canceled?: boolean;
  /** Messages for the next run, while the last one hands over; absent otherwise. */
  readonly held?: readonly Message[] | undefined;
}

const KEY = "workflow";
/** The code with which Restate answers whoever waits for an invocation that was killed. */
const KILLED = 409;
const RELAYED = "seen ";

/** Why a run was terminated. */
export const REPLACED = "another run replaces it";

/**
 * The handlers; `shared` are those that may run beside others.
 *
 * @param workflows By name. A client that starts another one is refused: the run could neither begin nor be terminated. A child is not
 * refused: its parent may run on an earlier deployment, which has it.
 */
export function recordHandlers(
  sdk: RestateSdk,
  name: string,
  workflows: Readonly<Record<string, unknown>>,
): { exclusive: Handlers; inner: Handlers; shared: Handlers } {
  const { serde: { json }, TerminalError } = sdk;
  const { run: runService } = serviceNames(name);

  const read = async (ctx: RestateContext): Promise<Stored | undefined> => {
    const packed = await ctx.get<Packed<Stored>>(KEY);
    return packed === null ? undefined : unpack(packed);
  };
  const write = (ctx: RestateContext, stored: Stored) => ctx.set(KEY, pack(stored));

  /** Begins the invocation of a run. */
  const begin = async (
    ctx: RestateContext,
    runId: string,
    request: RunRequest,
    of: Pick<Stored, "name" | "createdAt"> & Partial<Pick<Stored, "firstRunId" | "canceled">>,
    messages: readonly Message[],
  ): Promise<RunReference> => {
    const invocationId = await ctx.genericSend(callOf(runService, runId, "run", pack(request), json)).invocationId;
    const { name, createdAt, firstRunId = runId, canceled = false } = of;
    const reference = { runId, firstRunId, invocationId };
    const at = { createdAt, updatedAt: request.at };
    let stored: Stored = { ...reference, ...at, name, status: "running", messages: 0, canceled };
    stored = await acceptNew(ctx, stored, messages, request.at);
    write(ctx, stored);
    return reference;
  };

  /** The run that has got a message of the same ID; `null` if none has. */
  const receiverOf = async (ctx: RestateContext, message: Message): Promise<string | null> => {
    const key = keyOf(message);
    return key === undefined ? null : await ctx.get<string>(key);
  };

  /** Sends signals to the current run, but for those that are repeated. */
  const acceptNew = async (ctx: RestateContext, stored: Stored, signals: readonly Message[], at: number) => {
    for (const signal of signals) {
      if (await receiverOf(ctx, signal) === null) stored = accept(ctx, stored, signal, at);
    }
    return stored;
  };

  /** Sends a message to the current run. */
  const accept = (ctx: RestateContext, stored: Stored, message: Message, at: number): Stored => {
    if (message.kind === "cancel") {
      if (stored.canceled) return stored;
      stored = { ...stored, canceled: true };
    }
    const key = keyOf(message);
    if (key !== undefined) ctx.set(key, stored.runId);
    return send(ctx, stored, message, at);
  };

  const send = (ctx: RestateContext, stored: Stored, message: Message, at: number): Stored => {
    if (stored.held !== undefined) return { ...stored, held: [...stored.held, message] };
    const numbered: Numbered = { ...message, at };
    ctx.invocation(stored.invocationId as never).signal(`message ${stored.messages}`).resolve(pack(numbered));
    return { ...stored, messages: stored.messages + 1, updatedAt: at };
  };

  const start = async (ctx: RestateContext, request: StartRequest): Promise<Packed<Started | Refusal>> => {
    const { onConflict = "reject", reuse = "replace", signals = [] } = request;
    if (request.parent === undefined && !Object.hasOwn(workflows, request.name)) {
      return pack({ refused: "unknown_workflow", known: Object.keys(workflows) });
    }
    const at = await ctx.date.now();
    let stored = await read(ctx);
    if (stored?.status === "running") {
      if (onConflict === "reject") return pack({ refused: "already_running", status: stored.status });
      if (onConflict === "join") {
        stored = await acceptNew(ctx, stored, signals, at);
        write(ctx, stored);
        return pack({ ...referenceOf(stored), isJoined: true });
      }
      let last: Stored = { ...stored, held: undefined }; // nobody takes them over
      const terminate: Message = { kind: "terminate", reason: REPLACED, last: true };
      for (const message of [...stored.held ?? [], terminate]) last = send(ctx, last, message, at);
    } else if (stored !== undefined) {
      if (reuse === "join") {
        for (const signal of signals) {
          if (await receiverOf(ctx, signal) === null) return pack({ refused: "not_found", status: stored.status });
        }
        return pack({ ...referenceOf(stored), isJoined: true });
      }
      const allowed = reuse === "replace" || reuse === "replace-failed" && stored.status !== "completed";
      if (!allowed) return pack({ refused: "already_finished", status: stored.status });
    }
    ctx.clearAll();
    const workflowId = ctx.key;
    const runId = ctx.rand.uuidv4();
    const run: RunRequest = { workflowId, events: [firstEvent(request, at)], at };
    return pack(await begin(ctx, runId, run, { name: request.name, createdAt: at }, signals));
  };

  const deliver = async (
    ctx: RestateContext,
    { message, firstRunId }: DeliverRequest,
  ): Promise<Packed<RunReference | Refusal>> => {
    const at = await ctx.date.now();
    const stored = await read(ctx);
    if (stored === undefined) return pack({ refused: "not_found" });
    if (firstRunId !== undefined && stored.firstRunId !== firstRunId) return pack({ refused: "not_found" });
    const runId = await receiverOf(ctx, message);
    if (runId !== null) return pack({ ...referenceOf(stored), runId }); // it has the answer
    const { status } = stored;
    if (status === "running") {
      write(ctx, accept(ctx, stored, message, at));
      const ends = message.kind === "cancel" || message.kind === "terminate";
      if (ends) ctx.genericSend(callOf(name, ctx.key, "watch", undefined, json));
    } else if (message.kind !== "cancel" || status !== "canceled") return pack({ refused: "not_found", status });
    return pack(referenceOf(stored));
  };

  /** A run has ended, or is to be continued. Returns how many messages were sent to it; `undefined` if another run has replaced it. */
  const end = async (ctx: RestateContext, { runId, outcome }: EndRequest): Promise<Packed<number | undefined>> => {
    const at = await ctx.date.now();
    const stored = await read(ctx);
    if (stored === undefined) return pack(0); // somebody has deleted it
    if (stored.runId !== runId) return pack(undefined);
    const status: WorkflowStatus = outcome?.status ?? "running";
    write(ctx, { ...stored, status, outcome, updatedAt: at, held: outcome === undefined ? [] : undefined });
    return pack(stored.messages);
  };

  /** Begins the next run of a chain. Returns `undefined` if another run has replaced the last one. */
  const next = async (
    ctx: RestateContext,
    { runId, nextRunId, events, late }: ContinueRequest,
  ): Promise<Packed<Continued | undefined>> => {
    const at = await ctx.date.now();
    const stored = await read(ctx);
    if (stored?.runId !== runId) return pack(undefined);
    const { held = [] } = stored;
    const messages = [...late, ...held]; // they were accepted before
    const invocation = await begin(ctx, nextRunId, { workflowId: ctx.key, events, at, messages }, stored, []);
    return pack({ next: invocation, held });
  };

  /** Waits for the end of the current run. If its invocation was killed, the workflow has ended. */
  const watch = async (ctx: RestateContext): Promise<Packed<undefined>> => {
    const stored = await read(ctx);
    if (stored?.status !== "running") return pack(undefined);
    try {
      await ctx.invocation(stored.invocationId as never).attach();
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      const { code } = error as { code?: unknown }; // another one: it may not have arrived
      if (code === KILLED) await ctx.genericCall(callOf(name, ctx.key, "lost", pack({ runId: stored.runId }), json));
    }
    return pack(undefined);
  };

  /** The invocation of a run was killed. */
  const lost = async (ctx: RestateContext, { runId }: EndRequest): Promise<Packed<undefined>> => {
    const at = await ctx.date.now();
    const stored = await read(ctx);
    if (stored?.status !== "running" || stored.runId !== runId) return pack(undefined);
    const why = `Terminated workflow ${show(ctx.key)}: its invocation was killed in Restate`;
    const outcome: Outcome = { status: "canceled", error: toErrorRecord(new WorkflowError("terminated", why)) };
    write(ctx, { ...stored, status: outcome.status, outcome, updatedAt: at, held: undefined });
    return pack(undefined);
  };

  const describe = async (ctx: RestateContext): Promise<Packed<Described | undefined>> => {
    const stored = await read(ctx);
    if (stored === undefined) return pack(undefined);
    const { name, status, createdAt, updatedAt, outcome } = stored;
    return pack({ ...referenceOf(stored), name, status, createdAt, updatedAt, outcome });
  };

  return {
    exclusive: {
      start: receives<StartRequest>(sdk, checkStart, start),
      deliver: receives<DeliverRequest>(sdk, checkDeliver, deliver),
    },
    inner: {
      end: receives<EndRequest>(sdk, checkInner, end),
      next: receives<ContinueRequest>(sdk, checkInner, next),
      lost: receives<EndRequest>(sdk, checkInner, lost),
    },
    shared: { describe, watch } as Handlers,
  };
}

/** Where it is stored which run has got a message with an ID of the sender; `undefined` for a message without one. */
function keyOf(message: Message): string | undefined {
  const { kind } = message;
  if (kind !== "signal" && kind !== "update" || message.id === undefined) return undefined;
  return `${RELAYED}${kind} ${message.id}`;
}

function referenceOf({ runId, firstRunId, invocationId }: RunReference): RunReference {
  return { runId, firstRunId, invocationId };
}

function firstEvent(request: StartRequest, at: number): WorkflowEvent {
  const { name: workflowName, input, headers, timeoutMs, startAfterMs, startAt, parent } = request;
  const begin = startAfterMs === undefined ? startAt : at + startAfterMs;
  const event: WorkflowStartedEvent = {
    type: "workflow_started",
    at,
    workflowName,
    input,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(begin !== undefined && begin > at && { startAt: begin }),
    ...(headers !== undefined && Object.keys(headers).length > 0 && { headers }),
    ...(parent !== undefined && { parent }),
  };
  return event;
}
