/**
 * The answers to the updates of a run, given or to be given: who asks again gets the same one.
 *
 * @module
 */

import type { UpdateCompletedEvent } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { fromErrorRecord } from "../history/error_record.ts";
import { handOut } from "../history/value.ts";

export class Answers {
  readonly #byId = new Map<string, Deferred>();

  /** The answer to an update, if somebody waits for it or it is given. */
  get(updateId: string): Promise<unknown> | undefined {
    return this.#byId.get(updateId)?.promise;
  }

  /** Somebody waits for the answer. */
  expect(updateId: string): Promise<unknown> {
    const { promise } = this.#take(updateId);
    promise.catch(() => {});
    return promise;
  }

  /** The answer is in the history. */
  give({ updateId, result, error }: UpdateCompletedEvent): void {
    const answer = this.#take(updateId);
    if (error === undefined) answer.resolve(handOut(result));
    else answer.reject(fromErrorRecord(error));
  }

  /** The run that goes on in the place of this one answers an update. */
  leave(updateId: string, next: Answers): void {
    const answer = this.#byId.get(updateId);
    if (answer !== undefined) next.#byId.set(updateId, answer);
    this.#byId.delete(updateId);
  }

  /** There will be no other answer. */
  end(why: unknown): void {
    for (const answer of this.#byId.values()) answer.reject(why);
    this.#byId.clear();
  }

  #take(updateId: string): Deferred {
    let answer = this.#byId.get(updateId);
    if (answer === undefined) this.#byId.set(updateId, answer = new Deferred());
    return answer;
  }
}
