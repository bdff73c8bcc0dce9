/**
 * Deletes workflows, with all that belongs to them.
 *
 * @module
 */

import type { Names } from "./schema.ts";
import { noteChanges } from "./write_statement.ts";

/** A workflow that was to be deleted. */
export interface Deleted {
  readonly id: string;
  readonly place: number;
  readonly gone: boolean;
}

/**
 * The statement that deletes the workflows of a condition; `$1` is the writer. One that another writer changes meanwhile is not
 * deleted: what belongs to the change is not seen.
 */
export function deleteStatement(names: Names, condition: string): string {
  const { of } = names;
  const told = noteChanges(names, "$1::text", "SELECT workflow_id AS id, NULL::bigint AS length FROM gone");
  return `WITH seen AS MATERIALIZED (SELECT place, history, length, workflow_id FROM ${
    of("workflows")
  } w WHERE ${condition}),
    gone AS (DELETE FROM ${of("workflows")} w USING seen s
      WHERE w.place = s.place AND w.history = s.history AND w.length = s.length RETURNING w.place, w.history, w.workflow_id),
    events AS (DELETE FROM ${of("events")} e USING gone WHERE e.history = gone.history),
    messages AS (DELETE FROM ${of("messages")} m USING gone WHERE m.history = gone.history),
    results AS (DELETE FROM ${of("results")} r USING gone WHERE r.history = gone.history),
    told AS (${told})
    SELECT json_build_object('id', s.workflow_id, 'place', s.place, 'gone', g.place IS NOT NULL)::text AS row
    FROM seen s LEFT JOIN gone g USING (place)`;
}
