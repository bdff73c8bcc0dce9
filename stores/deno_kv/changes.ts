/**
 * The log of changes: what other processes read to notice them, and what a list reads to see one moment.
 *
 * 1. Each write adds an entry to the log under its versionstamp, in its transaction. It holds the row as it was before.
 * 2. A moment is the versionstamp of the last write. A reader of many rows reads them as they are, then the log since its moment,
 *    and takes the rows of before. So it ends beside a writer that never stops, and no writer waits for it.
 * 3. Unused data and the log are kept for {@linkcode KEPT_MS}. A read takes at most that long.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import type { Query } from "../../storage/mod.ts";
import { cannot } from "../../util/check.ts";
import { type DenoKvAtomic, type DenoKvEntry, type Keyspace, partsOf } from "./keyspace.ts";
import { type Row, rowOf } from "./rows.ts";

/** An entry of the log. */
interface Change {
  readonly id: string;
  /** The length of the history after an append; `null` if the workflow was saved or deleted. */
  readonly length: number | null;
  /** Which instance has written. */
  readonly by: string;
  readonly at: number;
  /** The row before the change. */
  readonly before: Row | undefined;
}

/** The version of all that the store keeps. */
const SCHEMA = 1;
/** For how long what is not used any more is kept, in milliseconds. */
export const KEPT_MS = 600_000;
/** How many workflows are read at once. */
const ROWS_AT_ONCE = 100;
/** What was written this much earlier than a subscription is reported, too: the clocks of two machines differ. */
const CLOCKS_DIFFER_MS = 1_000;

/** Adds a change to the transaction that makes it. */
export function addChange(keys: Keyspace, atomic: DenoKvAtomic, change: Omit<Change, "at">): void {
  atomic
    .set(keys.key("log", keys.stamp()), { ...change, at: systemClock.now() }, { expireIn: KEPT_MS })
    .set(keys.key("last"), SCHEMA);
}

/**
 * The versionstamp of the last write; an empty string if there is none.
 *
 * @throws {Error} If a later release has written.
 */
export function momentOf({ value, versionstamp }: DenoKvEntry): string {
  if (value as number <= SCHEMA) return versionstamp ?? "";
  const known = `this release knows versions up to ${SCHEMA}: update @rockpool/workflow`;
  throw new Error(`${cannot("use Deno KV")}: the schema of the store has version ${value}, ${known}`);
}

/** The first text behind a versionstamp. */
const behind = (stamp: string) => `${stamp}0`;

/** The changes after a moment, up to another one. */
async function* changesSince(keys: Keyspace, moment: string, now: string, reverse = false): AsyncIterable<Change> {
  if (now <= moment) return;
  const entries = keys.list(["log"], { from: behind(moment), to: behind(now), reverse });
  for await (const { value } of entries) yield value as Change;
}

/**
 * The rows of a query as they were at one moment, in order.
 *
 * @param after Only places behind this one.
 */
export async function* rowsOf(
  keys: Keyspace,
  { statuses, matches, order }: Query,
  after?: string,
): AsyncIterable<Row> {
  const moment = momentOf(await keys.get("last"));
  const index = statuses?.join() === "running" ? "running" : "order";
  const reverse = order === "desc";
  const before = new Map<string, Row>();
  const begunAt = systemClock.now();
  let seen = moment;
  let from = after === undefined || reverse ? "" : behind(after);
  let to = after !== undefined && reverse ? after : behind(moment);
  for (let count = ROWS_AT_ONCE; count === ROWS_AT_ONCE;) {
    const ids: string[] = [];
    let last = "";
    for await (const { key, value } of keys.list([index], { from, to, reverse, limit: ROWS_AT_ONCE })) {
      last = key.at(-1) as string;
      ids.push(index === "order" ? value as string : (value as { id: string }).id);
    }
    count = ids.length;
    if (systemClock.now() - begunAt > KEPT_MS) {
      throw new Error(
        `${cannot("list workflows")}: it takes longer than ${KEPT_MS / 60_000} minutes; list pages of heads`,
      );
    }
    const found = new Map<string, Row>();
    const [start, end] = [from, to];
    const isAhead = (place: string) => start <= place && place < end;
    const isIn = (place: string) => from <= place && place < to;
    if (count === ROWS_AT_ONCE) [from, to] = reverse ? [last, to] : [from, behind(last)];
    const rowKeys = await Promise.all(ids.map(async (id) => keys.key("workflow", ...await partsOf(id))));
    const rows = (await keys.getMany(rowKeys)).map(rowOf);
    const now = momentOf(await keys.get("last")); // after the rows were read: their changes are known
    for await (const { before: row } of changesSince(keys, seen, now)) {
      if (row !== undefined && !before.has(row.place) && isAhead(row.place)) before.set(row.place, row);
    }
    seen = now > seen ? now : seen;
    for (const row of [...rows, ...before.values()]) {
      if (row !== undefined && isIn(row.place)) found.set(row.place, row);
    }
    for (const place of found.keys()) before.delete(place);
    const places = [...found.keys()].sort();
    for (const place of reverse ? places.reverse() : places) {
      const row = found.get(place)!;
      if (statuses?.includes(row.head.status) !== false && matches?.(row.head) !== false) yield row;
    }
    [from, to] = reverse ? [start, from] : [to, end];
  }
}

/** Reports a change; with `null` and `null`, changes may have been missed. */
type Report = (workflowId: string | null, historyLength: number | null) => void;

/** Notices what other instances write. Without a listener there is no timer. */
export class Poll {
  readonly #keys: Keyspace;
  readonly #by: string;
  readonly #intervalMs: number;
  readonly #report: Report;
  #stop: (() => void) | undefined;
  /** All looks; it never rejects. */
  #looking: Promise<unknown> = Promise.resolve();

  constructor(keys: Keyspace, by: string, intervalMs: number, report: Report) {
    this.#keys = keys;
    this.#by = by;
    this.#intervalMs = intervalMs;
    this.#report = report;
  }

  /** Begins, unless it has begun. */
  start(): void {
    if (this.#stop !== undefined || this.#intervalMs === Infinity) return;
    let [stopped, clear] = [false, () => {}];
    this.#stop = () => {
      stopped = true;
      clear();
    };
    let lookedAt = systemClock.now();
    const since = lookedAt - CLOCKS_DIFFER_MS;
    /** Everything up to this moment was reported. */
    let seen = "";
    const look = async () => {
      const [changes, isFirst]: [Change[], boolean] = [[], seen === ""];
      const now = momentOf(await this.#keys.get("last"));
      for await (const change of changesSince(this.#keys, seen, now, true)) { // the newest first: the log may be long
        if (isFirst && change.at < since) break;
        changes.push(change);
      }
      seen = now;
      const missed = systemClock.now() - lookedAt > KEPT_MS / 2; // the log may be shorter
      lookedAt = systemClock.now();
      if (missed && !stopped) this.#report(null, null);
      for (const { id, length, by } of changes.reverse()) if (by !== this.#by && !stopped) this.#report(id, length);
    };
    const again = () => {
      const looked = look().catch(() => {}).then(() => { // the next look finds it; a call of the store says what is wrong
        if (!stopped) clear = systemClock.setTimer(systemClock.now() + this.#intervalMs, again);
      });
      this.#looking = Promise.all([this.#looking, looked]); // a subscription before may still look
    };
    again();
  }

  /** Ends, and resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    await this.#looking;
  }
}
