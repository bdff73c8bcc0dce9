/**
 * A run of a workflow in an invocation of Restate.
 *
 * An executor of its own, on a store in memory, runs the workflow function. Its clock, its activities and its messages are those of the
 * invocation. When Restate replays the invocation, the same completions come in the same order, and so the executor does the same again:
 * Restate's journal is what is durable, and the history of the run follows from it. The history is also written to Restate's state, so
 * that queries can be answered beside the run and after it.
 *
 * @module
 */

import { Executor } from "../../executor.ts";
import { codeOf, WorkflowError, workflowError } from "../../errors.ts";
import { InMemoryStore } from "../../store.ts";
import type { AppendBatch, WorkflowEvent, WorkflowStartedEvent, WorkflowState } from "../../types.ts";
import { toErrorRecord } from "../../history/error_record.ts";
import { batchKind, finalStatus } from "../../history/history.ts";
import { Deferred, quiet } from "../../util/deferred.ts";
import { macrotask } from "../../util/macrotask.ts";
import { hash, seededRandom } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import type { Code } from "./context.ts";
import { Outside } from "./outside.ts";
import { Pump, PumpClock } from "./pump.ts";
import { REPLACED } from "./record.ts";
import { notFound } from "./refusals.ts";
import { checkInner, checkQuery, receives } from "./requests.ts";
import type { Handlers, RestateContext, RestateSdk } from "./sdk.ts";
import {
  type Answer,
  type Continued,
  type ContinueRequest,
  type EndRequest,
  type Message,
  type Numbered,
  type Outcome,
  pack,
  type Packed,
  type QueryRequest,
  type RunRequest,
  type RunResult,
  serviceNames,
  unpack,
  type UpdateAnswer,
} from "./wire.ts";

/** What the handlers of a run need. */
export interface RunParts {
  readonly sdk: RestateSdk;
  readonly name: string;
  readonly code: Code;
  readonly onError: (error: unknown) => void;
}

const EVENTS = "events ";

/** The store of the run's executor: writes each append to Restate's state too, and notices the end of the run. */
class RunStore extends InMemoryStore {
  readonly #publish: (events: readonly WorkflowEvent[]) => void;
  /** The parent of the run, if it is a child. */
  readonly parent: WorkflowStartedEvent["parent"];
  /** The batch that continues the run by another one, and what resolves when it comes. */
  next: AppendBatch | undefined;
  readonly continued = new Deferred<void>();

  constructor(
    clock: PumpClock,
    [first]: readonly WorkflowEvent[],
    publish: (events: readonly WorkflowEvent[]) => void,
  ) {
    super({ clock });
    this.parent = first?.type === "workflow_started" ? first.parent : undefined;
    this.#publish = publish;
  }

  /** The parent of the run runs elsewhere. Its own invocation ends its children, so here it runs: else an executor would end the child. */
  override async load(workflowId: string): Promise<WorkflowState | null> {
    const state = await super.load(workflowId);
    const { parent } = this;
    if (state !== null || parent?.workflowId !== workflowId) return state;
    const { runId } = parent;
    return { workflowId, runId, workflowName: "", status: "running", createdAt: 0, updatedAt: 0, history: [] };
  }

  override append(batch: AppendBatch): Promise<void> {
    if (batchKind(batch) === "continue") { // the next run is an invocation of its own; nothing follows in this one
      this.next = batch;
      this.continued.resolve();
      return new Promise(() => {});
    }
    if (batch.events.length > 0) this.#publish(batch.events);
    return super.append(batch);
  }
}

/** The handlers of a run; all but `run` are shared. */
export function runHandlers(parts: RunParts): Handlers {
  const { sdk } = parts;
  return {
    run: receives<RunRequest>(sdk, checkInner, (ctx, request) => new RunInvocation(parts, ctx, request).run()),
    answer: async (ctx: RestateContext, id: string) => await ctx.promise(answerTo(id)).get(),
    query: receives<QueryRequest>(
      sdk,
      checkQuery,
      async (ctx, request) => pack(await answerQuery(parts, ctx, request)),
    ),
    history: async (ctx: RestateContext) => pack(await readHistory(ctx, sdk)),
  } as Handlers;
}

function answerTo(updateId: string): string {
  return `answer ${updateId}`;
}

class RunInvocation {
  readonly #parts: RunParts;
  readonly #ctx: RestateContext;
  readonly #request: RunRequest;
  readonly #pump: Pump;
  readonly #clock: PumpClock;
  readonly #outside: Outside;
  readonly #store: RunStore;
  readonly #executor: Executor;
  #batches = 0;
  /** How many messages were taken. */
  #messages = 0;
  /** The updates that have no answer, by ID. */
  readonly #unanswered = new Map<string, Message>();
  /** Whether the last message was taken, because another run has replaced this one. */
  #isReplaced = false;
  /** Messages that came after the end of the run; `undefined` before it. */
  #late: Message[] | undefined;

  constructor(parts: RunParts, ctx: RestateContext, request: RunRequest) {
    const { sdk, code, name, onError } = parts;
    this.#parts = parts;
    this.#ctx = ctx;
    this.#request = request;
    const pump = this.#pump = new Pump((promises) => sdk.RestatePromise.race(promises));
    const clock = this.#clock = new PumpClock(request.at, pump, (ms) => ctx.sleep(ms));
    const outside = this.#outside = new Outside(ctx, pump, clock, serviceNames(name).record, sdk.serde.json, onError);
    this.#store = new RunStore(clock, request.events, (events) => {
      outside.ended ||= events.some(finalStatus); // before the executor aborts what is in flight
      ctx.set(`${EVENTS}${this.#batches++}`, outside.pack(events));
    });
    this.#executor = new Executor({
      store: this.#store,
      clock,
      workflows: code.workflows(nameOf(request.events), outside),
      replaceActivity: (activity, name) => code.isOwn(activity) ? undefined : outside.attempt(activity, name),
      random: seededRandom(hash(ctx.key)),
      newRunId: () => ctx.rand.uuidv4(),
      logger: ctx.console, // silent while Restate replays the invocation
      onError,
    });
  }

  async run(): Promise<Packed<RunResult>> {
    const { workflowId, events } = this.#request;
    const runId = this.#ctx.key;
    const { attemptCompletedSignal } = this.#ctx.request();
    const abandon = () => void quiet(this.#executor.close()); // aborts the signals of the activities
    attemptCompletedSignal.addEventListener("abort", abandon, { once: true });
    try {
      await this.#store.append({ workflowId, runId, expectedLength: 0, events });
      const [handle] = await this.#executor.recover();
      const ended = quiet(handle.result()).then(() => {}, (error) => {
        if (handle.status === "running") throw error; // it cannot go on here: the attempt fails, and Restate tries again
      });
      this.#request.messages?.forEach((message, i) => this.#post(message, -i - 1)); // also a run that continues at once gets them
      this.#takeMessages();
      this.#takeCancellation();
      return this.#outside.pack(await this.#pumpUntil(ended));
    } finally {
      attemptCompletedSignal.removeEventListener("abort", abandon);
      abandon();
    }
  }

  /** Takes one message after the other. */
  #takeMessages(): void {
    const next = this.#pump.add(this.#ctx.signal<Packed<Numbered>>(`message ${this.#messages}`));
    next.then((packed) => {
      const number = this.#messages++;
      const { at, ...message } = unpack(packed);
      this.#clock.reach(at);
      if ("last" in message && message.last) this.#isReplaced = true;
      if (this.#late === undefined) this.#post(message as Message, number);
      else this.#late.push(message as Message);
      this.#takeMessages();
    });
  }

  /** Whoever cancels the invocation cancels the workflow. */
  #takeCancellation(): void {
    this.#pump.add(this.#ctx.cancellation()).then(() => {
      this.#post({ kind: "cancel", reason: "its invocation was cancelled in Restate" }, 0);
      this.#takeCancellation();
    });
  }

  /** @param number Of the message: a signal without an ID gets the same one in each replay. */
  #post(message: Message, number: number): void {
    const executor = this.#executor;
    const id = this.#request.workflowId;
    const report = (error: unknown) => this.#report(error);
    switch (message.kind) {
      case "signal": {
        const { name, payload, id: signalId = `${this.#ctx.key}:${number}`, senderId, headers } = message;
        return void executor.signal(id, name, payload, { signalId, senderId, headers }).catch(report);
      }
      case "update": {
        const { name, input, id: updateId, headers } = message;
        this.#unanswered.set(updateId, message);
        const answer = executor.update(id, name, input as never, { updateId, headers });
        return void answer.then((result) => this.#answer(updateId, { result }), (error) => {
          if (codeOf(error) !== "closed") this.#answer(updateId, { error: toErrorRecord(error) });
        });
      }
      case "cancel":
        return void executor.cancel(id, message.reason).catch(report);
      case "terminate":
        return void executor.terminate(id, message.reason).catch(report);
    }
  }

  /** A message that comes when the run has just ended is no fault. */
  #report(error: unknown): void {
    const code = codeOf(error);
    if (code !== "not_found" && code !== "closed") this.#parts.onError(error);
  }

  #answer(updateId: string, answer: UpdateAnswer): void {
    this.#unanswered.delete(updateId);
    this.#pump.add(this.#ctx.promise(answerTo(updateId)).resolve(this.#outside.pack(answer))); // rejects if it is answered already
  }

  /** Brings in one completion after the other, until the run has ended. */
  async #pumpUntil(ended: Promise<void>): Promise<RunResult> {
    let failure: { error: unknown } | undefined;
    let isOver = false;
    ended.then(() => isOver = true, (error) => failure = { error });
    const { continued } = this.#store;
    for (;;) {
      await Promise.race([this.#clock.rest(), continued.promise]);
      if (failure !== undefined) throw failure.error;
      if (this.#store.next !== undefined) return await this.#continue(this.#store.next);
      if (isOver && !this.#outside.isOpen) return await this.#end();
      await this.#pump.next();
    }
  }

  async #end(): Promise<RunResult> {
    const { workflowId } = this.#request;
    const state = (await this.#store.load(workflowId))!;
    const outcome = outcomeOf(state);
    this.#refuse(await this.#close({ runId: state.runId, outcome }), notFound("update workflow", workflowId, state));
    return outcome;
  }

  /** Nobody answers these updates any more. */
  #refuse(messages: Iterable<Message>, error: WorkflowError): void {
    for (const message of messages) {
      if (message.kind === "update") this.#answer(message.id, { error: toErrorRecord(error) });
    }
  }

  async #continue(batch: AppendBatch): Promise<RunResult> {
    const { key: runId } = this.#ctx;
    const { workflowId } = this.#request;
    const { history } = (await this.#store.load(workflowId))!;
    const accepted = (events: readonly WorkflowEvent[]) =>
      events.flatMap((event) => event.type === "update_accepted" ? [event.updateId] : []);
    const passedOn = new Set(accepted(batch.events));
    for (const updateId of accepted(history)) { // an update whose handler has begun belongs to this run
      const update = passedOn.has(updateId) ? undefined : this.#unanswered.get(updateId);
      const why = "it was continued as new before it had answered, and the handler may have begun";
      if (update) this.#refuse([update], workflowError("update_interrupted", "update workflow", workflowId, why));
    }
    const late = [...this.#unanswered.values(), ...await this.#close({ runId })];
    const request: ContinueRequest = { runId, nextRunId: batch.runId, events: batch.events, late };
    const continued = unpack(await this.#callRecord<ContinueRequest, Continued | undefined>("next", request));
    if (continued === undefined) {
      await this.#takeLate(undefined);
      this.#refuse([...late, ...this.#late!], notFound("update workflow", workflowId, { status: "canceled" }));
      const error = new WorkflowError("terminated", `Terminated workflow ${show(workflowId)}: ${REPLACED}`);
      return { status: "canceled", error: toErrorRecord(error) };
    }
    const { next, held } = continued;
    for (const message of [...late, ...held]) {
      if (message.kind === "update") this.#answer(message.id, { passedTo: next.runId });
    }
    this.#outside.ended = true;
    void quiet(this.#executor.close()); // aborts what is in flight: so children are closed as their policy says
    await new Promise<void>(macrotask);
    await this.#pumpWhile(() => this.#outside.isOpen);
    return { status: "continued", next };
  }

  /** Tells the record that the run takes no more messages. Returns those that came too late. */
  async #close(request: EndRequest): Promise<readonly Message[]> {
    const late: Message[] = this.#late = [];
    await this.#takeLate(unpack(await this.#callRecord<EndRequest, number | undefined>("end", request)));
    return late;
  }

  /** @param accepted How many messages the run gets; `undefined` if another run has replaced it. */
  async #takeLate(accepted: number | undefined): Promise<void> {
    await this.#pumpWhile(() => accepted === undefined ? !this.#isReplaced : this.#messages < accepted);
  }

  /** Brings in one completion after the other, after the end of the run. */
  async #pumpWhile(isNeeded: () => boolean): Promise<void> {
    while (isNeeded()) {
      await this.#pump.next();
      await new Promise<void>(macrotask);
    }
  }

  #callRecord<In, Out>(method: string, request: In): PromiseLike<Packed<Out>> {
    return this.#ctx.genericCall(this.#outside.recordCall(this.#request.workflowId, method, request));
  }
}

/** The name of the workflow of a run. */
function nameOf([first]: readonly WorkflowEvent[]): string {
  return first?.type === "workflow_started" ? first.workflowName : "";
}

function outcomeOf(state: WorkflowState): Outcome {
  const { status, result, error } = state;
  if (status === "completed") return { status, result };
  return { status: status as "failed", error: error! };
}

/**
 * The history of a run as far as it is known, in the batches in which it was stored; also beside the run and after it. `undefined` if
 * the run has not begun, or Restate has dropped its history.
 */
async function readHistory(
  ctx: RestateContext,
  { RestatePromise }: RestateSdk,
): Promise<(readonly WorkflowEvent[])[] | undefined> {
  const count = (await ctx.stateKeys()).filter((key) => key.startsWith(EVENTS)).length;
  if (count === 0) return undefined;
  // All at once: one after the other, each would be an entry of the journal to wait for if Restate has not sent them with the request.
  const batches = Array.from({ length: count }, (_, i) => ctx.get<Packed<readonly WorkflowEvent[]>>(`${EVENTS}${i}`));
  return (await RestatePromise.all(batches)).map(unpack);
}

/** Answers a query by a replay of the history; `undefined` without one. */
async function answerQuery(
  { sdk, code, onError }: RunParts,
  ctx: RestateContext,
  request: QueryRequest,
): Promise<Answer | undefined> {
  const { workflowId } = request;
  const store = new InMemoryStore();
  const batches = await readHistory(ctx, sdk);
  if (batches === undefined) return undefined;
  let expectedLength = 0;
  for (const events of batches) {
    await store.append({ workflowId, runId: ctx.key, expectedLength, events });
    expectedLength += events.length;
  }
  const workflows = code.workflows(nameOf(batches[0]), undefined);
  const executor = new Executor({ store, workflows, onError, logger: silent });
  try {
    return { result: await executor.query(workflowId, request.name, ...request.args) };
  } catch (error) {
    return { error: toErrorRecord(error) };
  } finally {
    await executor.close();
  }
}

const nothing = () => {};
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };
