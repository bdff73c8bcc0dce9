/**
 * What a run answers while it goes on: its query and update handlers.
 *
 * 1. A query, and the validation of an update, only look, and a side effect is not called on replay: the context refuses
 *    its methods meanwhile.
 * 2. An update runs its handler when its acceptance is applied, live as on replay. If the handler is not there yet, it waits
 *    for it.
 *
 * @module
 */

import { WorkflowError } from "../errors.ts";
import type { UpdateAcceptedEvent } from "../types.ts";
import { isThenable } from "../util/deferred.ts";
import { handOut, toStored } from "../history/value.ts";
import { show } from "../util/show.ts";

/** How a function ended. */
export type Outcome = { readonly ok: true; readonly value: unknown } | {
  readonly ok: false;
  readonly error: unknown;
};

interface UpdateHandler {
  readonly handle: (input: never) => unknown;
  readonly validate: ((input: never) => unknown) | undefined;
}

/** Functions that must answer at once and cannot call the context: why, and what to say of a promise. */
const looks = {
  handler: {
    free: "Cannot call the context in a query handler or a validation: these only look at the workflow",
    promise: "A query handler or a validation must answer at once, and not a promise",
  },
  sideEffect: {
    free: "Cannot call the context in a side effect: it is not called on replay",
    promise: "Cannot record a side effect: it answers a promise; use an activity",
  },
};

export class Handlers {
  readonly #queries = new Map<string, (...args: never[]) => unknown>();
  readonly #updates = new Map<string, UpdateHandler>();
  /** Accepted, while their handler was not there. */
  #early: UpdateAcceptedEvent[] = [];
  readonly #answered: (updateId: string, outcome: Outcome) => void;
  #looking: keyof typeof looks | undefined;

  /** @param answered An update's handler has ended. */
  constructor(answered: (updateId: string, outcome: Outcome) => void) {
    this.#answered = answered;
  }

  /** Throws while the context cannot be called. */
  assertFree(): void {
    if (this.#looking !== undefined) throw new TypeError(looks[this.#looking].free);
  }

  setQuery(name: string, handler: (...args: never[]) => unknown): void {
    this.#queries.set(name, handler);
  }

  setUpdate(name: string, handler: UpdateHandler): void {
    this.#updates.set(name, handler);
    const early = this.#early;
    this.#early = [];
    for (const event of early) this.accept(event);
  }

  hasUpdate(name: string): boolean {
    return this.#updates.has(name);
  }

  /** Answers a query with a copy, so that nobody gets at the workflow's variables. */
  query(workflowId: string, name: string, args: readonly unknown[]): unknown {
    const handler = this.#queries.get(name);
    if (handler === undefined) {
      const known = ["status", "input", "history", "state", ...this.#queries.keys()].map(show).join(", ");
      const message = `Cannot query workflow ${show(workflowId)}: it has no handler for ${show(name)}; it has ${known}`;
      throw new WorkflowError("not_found", message);
    }
    return handOut(toStored(this.look("handler", () => handler(...args as never[])), "answer of query", name));
  }

  /** @throws What the validation of an update throws. */
  validate(name: string, input: unknown): void {
    const { validate } = this.#updates.get(name)!;
    if (validate !== undefined) this.look("handler", () => validate(handOut(input) as never));
  }

  accept(event: UpdateAcceptedEvent): void {
    const { name, input, updateId } = event;
    const handler = this.#updates.get(name);
    if (handler === undefined) return void this.#early.push(event);
    const fail = (error: unknown) => this.#answered(updateId, { ok: false, error });
    try {
      Promise.resolve(handler.handle(handOut(input) as never)).then(
        (value) => this.#answered(updateId, { ok: true, value }),
        fail,
      );
    } catch (error) {
      fail(error);
    }
  }

  /** Calls a function that must answer at once and cannot call the context. */
  look(kind: keyof typeof looks, body: () => unknown): unknown {
    const before = this.#looking;
    this.#looking = kind;
    try {
      const answer = body();
      if (!isThenable(answer)) return answer;
      Promise.resolve(answer).catch(() => {}); // its failure would take the process down
      throw new TypeError(looks[kind].promise);
    } finally {
      this.#looking = before;
    }
  }
}
