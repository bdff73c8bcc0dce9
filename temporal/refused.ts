/**
 * Names of Temporal's workflow interface that nothing here stands for: they refuse with words.
 *
 * @module
 */

import { notSupported } from "./common/errors.ts";

/**
 * Not supported: there is no Nexus here.
 *
 * @param _options Not read.
 * @throws {IllegalStateError} Always.
 *
 * @category Temporal
 */
export function createNexusServiceClient(_options: unknown): never {
  throw notSupported("Nexus", "it calls services of a Temporal server; call an activity or a child workflow instead");
}

/**
 * Names of Nexus, for code that only reads them.
 *
 * @category Temporal
 */
export const NexusOperationCancellationType = {
  /** The operation is not cancelled. */
  ABANDON: "ABANDON",
  /** The operation is cancelled, and the call rejects at once. */
  TRY_CANCEL: "TRY_CANCEL",
  /** The call rejects when the cancellation is stored. */
  WAIT_CANCELLATION_REQUESTED: "WAIT_CANCELLATION_REQUESTED",
  /** The call settles with the outcome. */
  WAIT_CANCELLATION_COMPLETED: "WAIT_CANCELLATION_COMPLETED",
} as const;

/**
 * Names of Nexus, for code that only reads them.
 *
 * @category Temporal
 */
export type NexusOperationCancellationType =
  (typeof NexusOperationCancellationType)[keyof typeof NexusOperationCancellationType];
