/**
 * The statements of leases: who owns which runs. Times are of the clock of the database.
 *
 * 1. A run is free if its owner has no lease. A lease whose time is over counts until a claim of somebody else has deleted it: that
 *    and an extension exclude each other, because both write its row.
 * 2. A run is taken from the owner whom the statement has seen. If another claim was faster, the fence has changed.
 *
 * @module
 */

import { rowExpression } from "./rows.ts";
import type { Names } from "./schema.ts";
import { hash } from "./literal.ts";

/** When a lease ends, in SQL. An interval takes no number of any size. */
const endsAt = (leaseMs: string) =>
  `clock_timestamp() + least(${leaseMs}::text::float8, 1e14) * interval '1 millisecond'`;

/** Parameters: the owner, the length of the lease, the limit, `dueBefore`, and the names as a JSON array if there are any. */
export function claimStatement({ of }: Names, hasNames: boolean): string {
  const workflows = of("workflows");
  const named = hasNames ? "AND c.workflow_name IN (SELECT json_array_elements_text($5::text::json))" : "";
  return `WITH ended AS (
    DELETE FROM ${
    of("leases")
  } WHERE ends_at <= clock_timestamp() AND owner <> $1::text AND $3::text::bigint > 0 RETURNING owner
  ), begun AS (
    INSERT INTO ${of("leases")} (owner, ends_at) VALUES ($1::text, ${endsAt("$2")}) ON CONFLICT (owner) DO NOTHING
  ), free AS MATERIALIZED (
    SELECT c.place, c.owner, c.fence FROM ${workflows} c
    WHERE c.status = 'running' AND c.due_at <= $4::text::float8 AND c.owner IS DISTINCT FROM $1::text ${named}
      AND NOT EXISTS (SELECT FROM ${
    of("leases")
  } l WHERE l.owner = c.owner AND l.owner NOT IN (SELECT owner FROM ended))
    ORDER BY c.place LIMIT 10 * $3::text::bigint
  ), taken AS (
    SELECT w.place FROM free f JOIN ${workflows} w
      ON w.place = f.place AND w.fence = f.fence AND w.owner IS NOT DISTINCT FROM f.owner
    WHERE w.status = 'running' AND w.due_at <= $4::text::float8
    ORDER BY w.place LIMIT $3::text::bigint FOR UPDATE OF w SKIP LOCKED
  ), claimed AS (
    UPDATE ${workflows} w SET owner = $1::text, fence = w.fence + 1 FROM taken t WHERE w.place = t.place RETURNING w.*
  )
  SELECT ${rowExpression()} FROM claimed w ORDER BY w.place`;
}

/** Parameters: the owner and the length of the lease. Returns a row if there is such a lease. */
export function renewStatement({ of }: Names): string {
  return `UPDATE ${of("leases")} SET ends_at = ${endsAt("$2")} WHERE owner = $1::text RETURNING 'true' AS row`;
}

/** Parameters: the owner, and the IDs as a JSON array if there are any. */
export function releaseStatement({ of }: Names, hasIds: boolean): string {
  const ended = hasIds ? "" : `ended AS (DELETE FROM ${of("leases")} WHERE owner = $1::text), `;
  const chosen = hasIds
    ? `AND w.key IN (SELECT ${hash("id")} FROM json_array_elements_text($2::text::json) AS id)`
    : "";
  return `WITH ${ended}released AS (
    UPDATE ${of("workflows")} w SET owner = NULL WHERE w.owner = $1::text AND w.status = 'running' ${chosen} RETURNING 1
  )
  SELECT count(*)::text AS row FROM released`;
}
