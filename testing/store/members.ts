/**
 * Fixtures for the cases of the optional members of a store.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { WorkflowError, type WorkflowErrorCode } from "../../errors.ts";
import type { WorkflowEvent, WorkflowStartedEvent, WorkflowStore } from "../../types.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import { type CaseBody, started } from "./fixtures.ts";

/**
 * An optional member of a store. `"claim"` stands for `claim`, `renew` and `release` together, and for what `append` does with
 * `owner` and `wakeAt`.
 *
 * @category Store contract
 */
export type StoreMember = "heads" | "count" | "loadSince" | "deliver" | "claim";

/** The names of all members. */
export const MEMBERS: readonly StoreMember[] = ["heads", "count", "loadSince", "deliver", "claim"];

/** A store that has every member. Only those that a case names are called. */
export type FullStore = Required<WorkflowStore>;

/**
 * Makes a case of an optional member.
 *
 * @param run Gets a function that makes a store, and one that opens another instance on its content; that is the same store if
 * there can be none.
 */
export function memberCase(
  member: StoreMember,
  name: string,
  run: (make: () => Promise<FullStore>, connect: (store: FullStore) => Promise<FullStore>) => Promise<void>,
): CaseBody {
  const full = (store: WorkflowStore) => {
    assert(store[member] !== undefined, `The store has no ${member}(): leave "${member}" out of the option "members"`);
    return store as FullStore;
  };
  return {
    name,
    run: (makeStore, _reopen, connect) =>
      run(async () => full(await makeStore()), async (store) => full(await connect(store))),
  };
}

/** Checks that a call rejects with a `WorkflowError` of this code. */
export async function rejectsWith(
  code: WorkflowErrorCode,
  call: () => Promise<unknown>,
  what: string,
): Promise<void> {
  const error = await assertRejects(call, WorkflowError, what);
  assertEquals(error.code, code, `the code of the error of ${what}`);
}

/** Waits until something is true, for at most a second of real time. */
export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = systemClock.now() + 1_000;
  while (!await condition()) {
    assert(systemClock.now() < end, `Expected within 1,000 ms that ${what}`);
    await pass(2);
  }
}

/** Lets real time pass. */
export const pass = (ms: number): Promise<void> =>
  new Promise((resolve) => void systemClock.setTimer(systemClock.now() + ms, resolve));

/** The first event of a run, with changes. */
export const startedWith = (part: Partial<WorkflowStartedEvent>): WorkflowEvent => ({ ...started, ...part });

/** A signal with this ID. */
export const sent = (signalId: string): WorkflowEvent & { readonly type: "signal_received" } => ({
  type: "signal_received",
  at: 2,
  name: "s",
  signalId,
});
