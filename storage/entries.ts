/**
 * The stored workflows: by ID, by status, in order of creation, and in the order in which they finished.
 *
 * 1. A workflow has a place: a number that grows with every creation and is never used twice. An overwrite keeps it.
 * 2. A workflow has a slot in an array in order of creation. A removed workflow leaves a gap. When there are more gaps than
 *    workflows, the array is rebuilt. A set of slots for each status finds the next workflow of a status without a scan.
 * 3. Finished workflows are a linked list in the order in which they finished. Their times never decrease: if the clock was
 *    set back, those that finished before count from then on. So the first to finish is the first to expire.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { WorkflowEvent, WorkflowStatus } from "../types.ts";
import { BitSet } from "../util/bit_set.ts";
import { Entry } from "./entry.ts";
import type { Query } from "./filter.ts";
import type { StoredWorkflow } from "./snapshot.ts";

export class Entries {
  /** The place of the next new workflow. */
  nextPlace = 0;
  /** The workflow that finished first, and the one that finished last. */
  firstFinished: Entry | null = null;
  #lastFinished: Entry | null = null;
  declare readonly clock: Clock;
  readonly #byId = new Map<string, Entry>();
  #slots: (Entry | undefined)[] = [];
  #taken = new BitSet();
  #byStatus = statusSets();
  /** Whether `createdAt` never decreases from slot to slot. Then a binary search finds a time. */
  #ascending = true;
  #newest = -Infinity;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(workflowId: string): Entry | undefined {
    return this.#byId.get(workflowId);
  }

  /** Adds a new workflow at the end. */
  add(entry: Entry): void {
    entry.place = this.nextPlace++;
    this.#byId.set(entry.fields.workflowId, entry);
    this.#fill(entry);
    if (entry.finished) this.#finish(entry);
  }

  /** Changes a workflow. It keeps its place. */
  change(entry: Entry, change: () => void): void {
    const { status, createdAt } = entry.fields;
    change();
    const { fields, slot } = entry;
    if (fields.createdAt !== createdAt) this.#ascending = false;
    if (fields.status === status) return;
    this.#byStatus[status].delete(slot);
    this.#byStatus[fields.status].add(slot);
    if (status === "running") this.#finish(entry);
    else if (!entry.finished) this.#unlink(entry);
  }

  /** All workflows, in order of creation. */
  *stored(): Iterable<StoredWorkflow> {
    const ranks = new Map<Entry, number>();
    for (let entry = this.firstFinished; entry !== null; entry = entry.later) ranks.set(entry, ranks.size);
    for (const entry of this.#slots) {
      if (entry === undefined) continue;
      const { fields, events, place, finishedAt } = entry;
      const state = { ...fields, history: events };
      yield entry.finished ? { state, place, finish: { at: finishedAt, rank: ranks.get(entry)! } } : { state, place };
    }
  }

  /** Adds workflows that {@linkcode stored} has returned. Nothing was added before. */
  restore(workflows: readonly StoredWorkflow[], nextPlace: number): void {
    const finished: [rank: number, entry: Entry][] = [];
    for (const { state: { history, ...fields }, place, finish } of workflows) {
      const entry = new Entry(fields, history as WorkflowEvent[]);
      entry.place = place;
      this.#byId.set(fields.workflowId, entry);
      this.#fill(entry);
      if (finish === undefined) continue;
      entry.finishedAt = finish.at;
      finished.push([finish.rank, entry]);
    }
    for (const [, entry] of finished.sort(([a], [b]) => a - b)) this.#link(entry);
    this.nextPlace = nextPlace;
  }

  remove(entry: Entry): void {
    const { slot, fields } = entry;
    this.#byId.delete(fields.workflowId);
    this.#slots[slot] = undefined;
    this.#taken.delete(slot);
    this.#byStatus[fields.status].delete(slot);
    if (entry.finished) this.#unlink(entry);
    if (this.#slots.length >= 64 && this.#slots.length > 2 * this.size) this.#compact();
  }

  /**
   * Calls `visit` with the workflows of a query, in order, until it returns `false`.
   *
   * @param after Only workflows after this place.
   */
  visit(query: Query, after: number | undefined, visit: (entry: Entry) => boolean): void {
    const { statuses, matches, createdAfter, createdBefore, order } = query;
    const descending = order === "desc";
    let low = 0;
    let high = this.#slots.length - 1;
    if (after !== undefined) {
      if (descending) high = this.#slotOf((entry) => entry.place >= after) - 1;
      else low = this.#slotOf((entry) => entry.place > after);
    }
    if (this.#ascending) {
      if (createdAfter > -Infinity) {
        low = Math.max(low, this.#slotOf((entry) => entry.fields.createdAt > createdAfter));
      }
      if (createdBefore < Infinity) {
        high = Math.min(high, this.#slotOf((entry) => entry.fields.createdAt >= createdBefore) - 1);
      }
    }
    const sets = statuses?.map((status) => this.#byStatus[status]) ?? [this.#taken];
    const slots = this.#slots;
    let slot = nearest(sets, descending ? high : low, descending);
    while (low <= slot && slot <= high) {
      const entry = slots[slot]!;
      if ((matches === undefined || matches(entry.fields)) && !visit(entry)) return;
      slot = nearest(sets, descending ? slot - 1 : slot + 1, descending);
    }
  }

  /** The number of workflows of a query. Its limit does not count. */
  count(query: Query): number {
    const { statuses, matches } = query;
    let count = 0;
    if (matches !== undefined) this.visit(query, undefined, () => ++count > 0);
    else if (statuses === undefined) count = this.size;
    else for (const status of statuses) count += this.#byStatus[status].size;
    return count;
  }

  /** The first slot from which on every workflow `isBeyond`. */
  #slotOf(isBeyond: (entry: Entry) => boolean): number {
    let low = 0;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const slot = this.#taken.next(middle); // `middle` can be a gap
      if (slot < 0 || isBeyond(this.#slots[slot]!)) high = middle;
      else low = slot + 1;
    }
    return low;
  }

  #fill(entry: Entry): void {
    const { createdAt, status } = entry.fields;
    const slot = entry.slot = this.#slots.push(entry) - 1;
    this.#taken.add(slot);
    this.#byStatus[status].add(slot);
    if (slot === 0) this.#ascending = true;
    else if (createdAt < this.#newest) this.#ascending = false;
    this.#newest = createdAt;
  }

  /** Closes the gaps. */
  #compact(): void {
    const entries = this.#slots;
    this.#slots = [];
    this.#taken = new BitSet();
    this.#byStatus = statusSets();
    for (const entry of entries) if (entry !== undefined) this.#fill(entry);
  }

  #finish(entry: Entry): void {
    entry.finishedAt = this.clock.now();
    this.#link(entry);
  }

  #link(entry: Entry): void {
    entry.earlier = this.#lastFinished;
    for (let one = entry.earlier; one !== null && one.finishedAt > entry.finishedAt; one = one.earlier) {
      one.finishedAt = entry.finishedAt;
    }
    if (entry.earlier === null) this.firstFinished = entry;
    else entry.earlier.later = entry;
    this.#lastFinished = entry;
  }

  #unlink(entry: Entry): void {
    const { earlier, later } = entry;
    if (earlier === null) this.firstFinished = later;
    else earlier.later = later;
    if (later === null) this.#lastFinished = earlier;
    else later.earlier = earlier;
    entry.earlier = entry.later = null;
  }
}

function statusSets(): Record<WorkflowStatus, BitSet> {
  return { running: new BitSet(), completed: new BitSet(), failed: new BitSet(), canceled: new BitSet() };
}

/** The next slot of any of the sets, from `slot` on; -1 if there is none. */
function nearest(sets: readonly BitSet[], slot: number, descending: boolean): number {
  if (sets.length === 1) return descending ? sets[0].previous(slot) : sets[0].next(slot);
  let found = -1;
  for (const set of sets) {
    const one = descending ? set.previous(slot) : set.next(slot);
    if (one >= 0 && (found < 0 || (descending ? one > found : one < found))) found = one;
  }
  return found;
}
