/**
 * The query handlers and update handlers of a workflow, and the updates it received.
 *
 * The life of an update: a caller asks for it, in the history (**requested**) if another executor runs the workflow; it is
 * validated, and **accepted** (stored) or rejected; its handler runs when the turn of the acceptance comes, and it is
 * **answered**; the answer is stored and it is **completed**; its callers get the answer.
 *
 * 1. While a query handler, a validation or a side effect runs, the context refuses commands, waits and random numbers.
 * 2. An update is accepted only once there is a handler that validates it. It runs its handler when its acceptance is applied,
 *    live as in a replay. If changed code has no handler by then, the update waits for it.
 * 3. Every caller with the same `updateId` gets the same answer. The handler runs once.
 *
 * @module
 */

import type { ReceivedUpdate } from "../context.ts";
import { workflowError } from "../errors.ts";
import type { UpdateAcceptedEvent, UpdateRequestedEvent } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { cannot, noTexts } from "../util/check.ts";
import { Deferred, isStrayPromise } from "../util/deferred.ts";
import { show } from "../util/show.ts";
import { handOut, toStored } from "../history/value.ts";
import { type Answer, type AnswerEvent, answerOf, isAnswer, type Outcome } from "./events.ts";

/** The query that every workflow answers; see `WorkflowHandlers`. */
export const HANDLERS = "handlers";

interface UpdateHandler {
  readonly handle: (input: never, update: ReceivedUpdate) => unknown;
  readonly validate: ((input: never) => unknown) | undefined;
}

/** One update that the workflow received. */
class Update {
  /** The request, later the acceptance, if they are in the history; `undefined` once it is completed. */
  open: UpdateRequestedEvent | UpdateAcceptedEvent | undefined;
  /** The acceptance, in the history or on its way there, until the handler is called. */
  uncalled: UpdateAcceptedEvent | undefined;
  /** The handler has ended in this process. */
  answered = false;
  /** The answer in the history. */
  completed: AnswerEvent | undefined;
  /** For the callers that wait for the answer. */
  deferred: Deferred<Answer> | undefined;

  /** The answer. */
  get promise(): Promise<Answer> {
    if (this.deferred === undefined) {
      this.deferred = new Deferred();
      if (this.completed !== undefined) this.settle(this.completed);
    }
    return this.deferred.promise;
  }

  settle(answer: AnswerEvent): void {
    try {
      this.deferred?.resolve({ value: answerOf(answer) });
    } catch (error) {
      this.deferred!.reject(error);
    }
  }
}

/** The errors of functions that call the context or return a promise, although they must not. */
const readOnlyErrors = {
  handler: {
    calls: "Cannot call the context in a query handler or a validation: they may only read the workflow's variables",
    waits: "Cannot answer with a promise in a query handler or a validation: return the value",
  },
  sideEffect: {
    calls: "Cannot call the context in a side effect: it is not called on replay",
    waits: "Cannot record a side effect: it returns a promise; use an activity",
  },
};

function noHandler(name: string, handlers: ReadonlyMap<string, unknown>): string {
  const names = [...handlers.keys()].map(show).join(", ");
  return `it has no handler for ${show(name)}; it has ${names === "" ? "none" : names}`;
}

export class Handlers {
  readonly #queries = new Map<string, (...args: never[]) => unknown>();
  readonly #updateHandlers = new Map<string, UpdateHandler>();
  /** Resolves to the next acceptance for a handler. */
  readonly #next = new WeakMap<UpdateHandler, Deferred<UpdateAcceptedEvent>>();
  /** Every update that the workflow received, by its ID. */
  readonly #updates = new Map<string, Update>();
  /** Accepted updates whose turn came before their handler was registered. */
  #early: UpdateAcceptedEvent[] = [];
  /** Resolve when a handler is registered, or the run has ended: by the name of the update. */
  readonly #registrations = new Map<string, Deferred<void>>();
  readonly #answered: (updateId: string, outcome: Outcome) => void;
  /** How many updates are in the history without an answer, or wait in memory for their handler. */
  unanswered = 0;
  /** How many updates have an answer in the history, although their handler has not ended here. */
  answeredAhead = 0;
  #readOnly: keyof typeof readOnlyErrors | undefined;

  /** @param answered The handler of an update has ended, and the history does not hold its answer. */
  constructor(answered: (updateId: string, outcome: Outcome) => void) {
    this.#answered = answered;
  }

  /** Throws while the context cannot be called. */
  assertContextFree(): void {
    if (this.#readOnly !== undefined) throw new TypeError(readOnlyErrors[this.#readOnly].calls);
  }

  setQuery(name: string, handler: (...args: never[]) => unknown): void {
    if (name === HANDLERS) {
      throw new TypeError(`${cannot("handle query", name)}: every workflow answers it; choose another name`);
    }
    this.#queries.set(name, handler);
  }

  setUpdate(name: string, handler: UpdateHandler): void {
    this.#updateHandlers.set(name, handler);
    this.#listen(handler);
    const early = this.#early;
    this.#early = [];
    for (const event of early) {
      if (event.name === name) this.#handle(handler, event);
      else this.#early.push(event);
    }
    this.#registrations.get(name)?.resolve();
    this.#registrations.delete(name);
  }

  hasUpdate(name: string): boolean {
    return this.#updateHandlers.has(name);
  }

  /** The names of the queries and updates that have a handler. */
  names(): { queries: string[]; updates: string[] } {
    return { queries: [...this.#queries.keys()], updates: [...this.#updateHandlers.keys()] };
  }

  /** Waits until a handler is registered, or the run has ended. */
  async registration(name: string, signal: AbortSignal | undefined): Promise<void> {
    let registration = this.#registrations.get(name);
    if (registration === undefined) this.#registrations.set(name, registration = new Deferred());
    this.unanswered++;
    try {
      await abortable(registration.promise, signal);
    } finally {
      this.unanswered--;
    }
  }

  /** Why there is no handler for an update. */
  without(name: string): string {
    return noHandler(name, this.#updateHandlers);
  }

  /** Calls a query handler. Returns a copy of its result, so that nobody can change the workflow's variables. */
  query(workflowId: string, name: string, args: readonly unknown[]): unknown {
    const handler = this.#queries.get(name);
    if (handler === undefined) {
      throw workflowError("not_found", "query workflow", workflowId, noHandler(name, this.#queries));
    }
    return handOut(toStored(this.readOnly("handler", () => handler(...args as never[])), "answer of query", name));
  }

  /** @throws What the validation of an update throws. */
  validate(name: string, input: unknown): void {
    const { validate } = this.#updateHandlers.get(name)!;
    if (validate !== undefined) this.readOnly("handler", () => validate(handOut(input) as never));
  }

  /** Whether the history holds the acceptance of an update, and not its answer. */
  isAccepted(updateId: string): boolean {
    return this.open(updateId)?.type === "update_accepted";
  }

  /** What the history holds of an update that has no answer. */
  open(updateId: string): Update["open"] {
    return this.#updates.get(updateId)?.open;
  }

  /** The updates in the history that have no answer; those that were accepted and whose handlers were not called. */
  all<Key extends "open" | "uncalled">(key: Key): NonNullable<Update[Key]>[] {
    return Array.from(this.#updates.values(), (update) => update[key]).filter((event) => event !== undefined);
  }

  /** The answer to an update, if it is given or a caller waits for it already. */
  answer(updateId: string): Promise<Answer> | undefined {
    const update = this.#updates.get(updateId);
    return update?.completed === undefined && update?.deferred === undefined ? undefined : update.promise;
  }

  /**
   * A caller waits for the answer to an update.
   *
   * @param accepted Its acceptance, if that is on its way into the history.
   */
  expect(updateId: string, accepted?: UpdateAcceptedEvent): Promise<Answer> {
    const update = this.#update(updateId);
    update.uncalled ??= accepted;
    return update.promise;
  }

  /** An event of an update is in the history now. */
  stored(event: UpdateRequestedEvent | UpdateAcceptedEvent | AnswerEvent): void {
    const update = this.#update(event.updateId);
    if (update.completed !== undefined) return;
    const wasOpen = update.open !== undefined;
    if (!isAnswer(event)) {
      if (!wasOpen) this.unanswered++;
      update.open = event;
      if (event.type === "update_accepted") update.uncalled = event;
      return;
    }
    if (wasOpen) this.unanswered--;
    if (event.type === "update_completed" && !update.answered) this.answeredAhead++;
    update.open = undefined;
    update.completed = event;
    update.settle(event);
  }

  /** The turn of an acceptance has come: the handler runs. */
  seen(event: UpdateAcceptedEvent): void {
    const handler = this.#updateHandlers.get(event.name);
    if (handler === undefined) this.#early.push(event);
    else this.#next.get(handler)!.resolve(event);
  }

  /**
   * Calls a handler in the asynchronous context in which it was registered (`AsyncLocalStorage`): only what that context awaits
   * continues in it. The context of a turn may be that of another run.
   */
  async #listen(handler: UpdateHandler): Promise<void> {
    for (;;) {
      const next = new Deferred<UpdateAcceptedEvent>();
      this.#next.set(handler, next);
      this.#handle(handler, await next.promise);
    }
  }

  #handle(handler: UpdateHandler, { name, input, updateId, headers = noTexts }: UpdateAcceptedEvent): void {
    this.#update(updateId).uncalled = undefined;
    const end = (outcome: Outcome) => {
      const update = this.#update(updateId);
      if (update.answered) return;
      update.answered = true;
      if (update.completed === undefined) this.#answered(updateId, outcome);
      else this.answeredAhead--;
    };
    const fail = (error: unknown) => end({ ok: false, error });
    try {
      const update = Object.freeze({ name, updateId, headers });
      Promise.resolve(handler.handle(handOut(input) as never, update)).then((value) => end({ ok: true, value }), fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Passes the waiting callers of an update to the next run. */
  passOn(updateId: string, next: Handlers): void {
    const update = this.#updates.get(updateId);
    if (update?.deferred === undefined) return;
    const passed = next.#update(updateId);
    passed.deferred = update.deferred;
    if (passed.completed !== undefined) passed.settle(passed.completed); // another executor has answered it already
    this.#updates.delete(updateId);
  }

  /**
   * There will be no further answers. The callers that wait for a handler look again.
   *
   * @param error Makes the error for the other callers of an update, or `undefined` if they look again too.
   */
  end(error: (isAccepted: boolean, updateId: string) => unknown): void {
    for (const registration of this.#registrations.values()) registration.resolve();
    for (const [updateId, { open, completed, deferred }] of this.#updates) {
      if (completed !== undefined || deferred === undefined) continue;
      const reason = error(open?.type === "update_accepted", updateId);
      if (reason === undefined) deferred.resolve(undefined);
      else deferred.reject(reason);
    }
  }

  #update(updateId: string): Update {
    let update = this.#updates.get(updateId);
    if (update === undefined) this.#updates.set(updateId, update = new Update());
    return update;
  }

  /** Calls a function that must not call the context and must not return a promise. */
  readOnly(kind: keyof typeof readOnlyErrors, body: () => unknown): unknown {
    const before = this.#readOnly;
    this.#readOnly = kind;
    try {
      const answer = body();
      if (isStrayPromise(answer)) throw new TypeError(readOnlyErrors[kind].waits);
      return answer;
    } finally {
      this.#readOnly = before;
    }
  }
}
