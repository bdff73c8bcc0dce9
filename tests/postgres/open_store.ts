/**
 * Opens a store in Postgres, for processes that share it.
 *
 * @module
 */

import { openSchema, type OpenStore } from "./clients.ts";

/** @param schema Its schema. */
export function openStore(schema: string, leaseMs: number): Promise<OpenStore> {
  return openSchema(schema, { leaseMs });
}
