/**
 * Leases: who owns which runs, and who lives.
 *
 * 1. An owner lives while it has a lease. A lease whose time is over is deleted by the next claim of somebody else, for good: its
 *    owner finds it missing.
 * 2. A run is taken in one transaction with the check that its owner has no lease.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { leaseLost, type readClaim } from "../../storage/mod.ts";
import { type DenoKvEntry, type Keyspace, partsOf } from "./keyspace.ts";
import { type Index, indexOf, type Row } from "./rows.ts";
import type { Workflows } from "./workflows.ts";

/** The lease of an owner. */
interface Lease {
  readonly owner: string;
  readonly endsAt: number;
}

/** Takes runs; see `WorkflowStore.claim`. */
export async function claim(
  keys: Keyspace,
  workflows: Workflows,
  { owner, leaseMs, limit, names, dueBefore }: ReturnType<typeof readClaim>,
): Promise<Row[]> {
  const lease = await leaseOf(keys, owner);
  if (lease.value === null) await extend(keys, lease, owner, leaseMs);
  if (limit === 0) return [];
  const living = new Set<string | null>();
  for await (const entry of keys.list(["lease"])) {
    const other = entry.value as Lease;
    const isOver = other.owner !== owner && other.endsAt <= systemClock.now();
    if (!isOver || !await keys.commit(keys.atomic().check(entry).delete(entry.key))) living.add(other.owner);
  }
  const isFree = (run: Omit<Index, "id">) =>
    !living.has(run.owner) && run.dueAt <= dueBefore && names?.includes(run.name) !== false;
  const rows: Row[] = [];
  for await (const { value } of keys.list(["running"])) {
    const run = value as Index;
    if (!isFree(run)) continue;
    const row = await workflows.edit(run.id, async (row, atomic) => {
      if (row?.head.status !== "running" || !isFree(indexOf(row))) return undefined;
      if (row.owner !== null) {
        const lease = await leaseOf(keys, row.owner); // it may have begun since
        if (lease.value !== null) return undefined;
        atomic.check(lease);
      }
      return workflows.put(atomic, { ...row, owner, fence: row.fence + 1 });
    });
    if (row !== undefined && rows.push(row) === limit) break;
  }
  return rows;
}

/** Extends a lease; see `WorkflowStore.renew`. */
export async function renew(keys: Keyspace, owner: string, leaseMs: number): Promise<void> {
  for (;;) {
    const lease = await leaseOf(keys, owner);
    if (lease.value === null) throw leaseLost(owner);
    if (await extend(keys, lease, owner, leaseMs)) return;
  }
}

/** Gives runs back; see `WorkflowStore.release`. */
export async function release(
  keys: Keyspace,
  workflows: Workflows,
  owner: string,
  workflowIds: readonly string[] | undefined,
): Promise<void> {
  const give = (workflowId: string) =>
    workflows.edit(
      workflowId,
      (row, atomic) => row?.owner === owner ? workflows.put(atomic, { ...row, owner: null }) : undefined,
    );
  if (workflowIds !== undefined) return void await Promise.all(workflowIds.map(give));
  await keys.commit(keys.atomic().delete((await leaseOf(keys, owner)).key));
  for await (const { value } of keys.list(["running"])) {
    const run = value as Index;
    if (run.owner === owner) await give(run.id);
  }
}

async function leaseOf(keys: Keyspace, owner: string): Promise<DenoKvEntry> {
  return await keys.get("lease", ...await partsOf(owner));
}

function extend(keys: Keyspace, entry: DenoKvEntry, owner: string, leaseMs: number): Promise<boolean> {
  const lease: Lease = { owner, endsAt: systemClock.now() + leaseMs };
  return keys.commit(keys.atomic().check(entry).set(entry.key, lease));
}
