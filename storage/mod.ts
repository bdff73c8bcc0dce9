/**
 * What a store that outlives its process is made of: checks and copies of arguments, comparison of heads, filters and pages,
 * payloads, listeners. A store that uses it writes about 100 lines of its own: where heads and events are kept.
 *
 * - `readState`, `readBatch`, `readId`, `readFilter` and `readPage` check the arguments of the methods, and copy what is stored.
 *   They read an argument once. A store calls them first, before it waits for anything.
 * - `applyToHead` compares a batch with a head and returns the next head; `batchKind` says what becomes of the history. A store whose
 *   database compares passes `expectedHead`.
 * - `readDelivery`, `acceptDelivery` and `messageIds` are `deliver`; `readClaim`, `checkLease`, `readRelease`, `checkOwner` and
 *   `dueAt` are leases. `checkLoadSince` checks for `loadSince`, `toHead` makes heads. These methods are optional.
 * - `Payloads` writes values as texts, through a codec of the user if there is one. `escapeText` writes IDs. `unreadable` is what a
 *   list says of a damaged workflow.
 * - `stateAt` is a run as it was after some of its events; `fork` is a second run from there.
 * - `Listeners` is `subscribe`.
 *
 * The contract that a store must fulfil is {@linkcode WorkflowStore}. `@rockpool/workflow/testing/store` tests it.
 *
 * @module
 */

export {
  checkLease,
  checkLoadSince,
  dueAt,
  leaseLost,
  type PruneOptions,
  readBatch,
  readClaim,
  readDelivery,
  readId,
  readPrune,
  readRelease,
  readState,
  type SavedState,
} from "./arguments.ts";
export { expectedHead } from "./expected_head.ts";
export { type PageQuery, type Query, readFilter, readPage, toCursor } from "./filter.ts";
export { Listeners } from "./listeners.ts";
export {
  escapeText,
  incompleteHistory,
  type Payload,
  type PayloadCodec,
  payloadOf,
  Payloads,
  unescapeText,
  unreadable,
} from "./payloads.ts";
export { applyBatch, applyToHead, type BatchKind, batchKind, checkOwner, toHead, toState } from "../history/history.ts";
export { stateAt } from "../history/state_at.ts";
export { type DroppedMessage, type Fork, fork, type ForkOptions } from "../history/fork.ts";
export { acceptDelivery, type AcceptedDelivery, messageIds } from "../history/messages.ts";
