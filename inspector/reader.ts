/**
 * Reads from a store what pages need, by the cheapest members that it has. What it returns is redacted.
 *
 * 1. A page of the list reads heads, and histories only of runs that are short. With a store that has no `heads`, it reads states.
 * 2. Counts and histories of rows are an extra: if one cannot be read, it is missing. A failed read of anything else rejects.
 *
 * @module
 */

import { validateHistory, validateState } from "../history/validate.ts";
import type { WorkflowFilter, WorkflowHead, WorkflowStartedEvent, WorkflowState } from "../types.ts";
import type { OpenRun } from "../options.ts";
import { show } from "../util/show.ts";
import { redactHead, redactState } from "./redact.ts";
import type { Settings } from "./settings.ts";

/** A longer history is not read for a row of the list, or only its end. */
const MAX_ROW_EVENTS = 200;
/** How many events are read for the rows of a page altogether. */
const MAX_PAGE_EVENTS = 5_000;
/** How many histories are read at a time. */
const AT_A_TIME = 16;
/** A count is kept for this many times as long as it took, so that pages that are loaded often do not keep the store busy. */
const KEEP_COUNTS = 200;
/** How many children and grandchildren are read for an export. */
const MAX_DESCENDANTS = 200;

/** A row of the list. */
export interface Row {
  readonly head: WorkflowHead;
  /** With its history if that is short enough; with the end of it if the run is running. */
  readonly state: WorkflowState | undefined;
}

/** A page of the list. */
export interface RowPage {
  readonly rows: readonly Row[];
  /** Where the next page starts. */
  readonly cursor: string | undefined;
}

/** One for each inspector. */
export class Reader {
  readonly #settings: Settings;
  readonly #counts = new Map<string, { readonly count: Promise<number>; until: number }>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** One page of the list, newest first. */
  async page(filter: WorkflowFilter, limit: number, cursor: string | undefined): Promise<RowPage> {
    const { store, redact } = this.#settings;
    if (store.heads === undefined) {
      const skipped = Math.floor(Number(cursor ?? 0)) || 0;
      const states = await store.list({ ...filter, order: "desc", limit: skipped + limit + 1 });
      const rows = states.slice(skipped, skipped + limit).map((stored): Row => {
        const state = redactState(redact, stored);
        return { head: headOf(state), state };
      });
      return { rows, cursor: states.length > skipped + limit ? String(skipped + limit) : undefined };
    }
    const page = await store.heads({ ...filter, order: "desc", limit, ...(cursor !== undefined && { cursor }) });
    let left = MAX_PAGE_EVENTS;
    const wanted = page.heads.map(({ historyLength, status }) => {
      const length = Math.min(historyLength, MAX_ROW_EVENTS);
      return (historyLength === length || status === "running") && (left -= length) >= 0;
    });
    const states: (WorkflowState | undefined)[] = [];
    for (let from = 0; from < page.heads.length; from += AT_A_TIME) {
      const heads = page.heads.slice(from, from + AT_A_TIME);
      states.push(...await Promise.all(heads.map((head, i) => wanted[from + i] ? this.#stateOf(head) : undefined)));
    }
    return {
      rows: page.heads.map((head, i) => ({ head: redactHead(redact, head), state: states[i] })),
      cursor: page.cursor,
    };
  }

  /** The state of a head, or the end of it; `undefined` if it cannot be read cheaply, or the run is another one by now. */
  async #stateOf({ workflowId, runId, historyLength }: WorkflowHead): Promise<WorkflowState | undefined> {
    const { store, redact } = this.#settings;
    const skipped = Math.max(0, historyLength - MAX_ROW_EVENTS);
    try {
      const tail = await store.loadSince?.(workflowId, skipped, runId);
      if (tail === undefined || tail === null) return undefined;
      const { historyLength: _1, firstRunId: _2, parent: _3, ...head } = tail.head;
      validateState(head, tail.events, "list workflows", workflowId);
      validateHistory(tail.events, 0, "list workflows", workflowId);
      return redactState(redact, { ...head, history: tail.events });
    } catch {
      return undefined;
    }
  }

  /** The number of runs that match; `undefined` if the store does not count, or fails. */
  async count(filter: WorkflowFilter): Promise<number | undefined> {
    const { store, now } = this.#settings;
    if (store.count === undefined) return undefined;
    const key = JSON.stringify(filter);
    const from = now();
    const kept = this.#counts.get(key);
    if (kept !== undefined && from < kept.until) return kept.count.catch(() => undefined);
    const count = (async () => checkCount(await store.count!(filter)))();
    const entry = { count, until: Infinity };
    if (this.#counts.size > 100) this.#counts.clear(); // names and labels of the users' searches
    this.#counts.set(key, entry);
    try {
      const answer = await count;
      entry.until = now() + KEEP_COUNTS * (now() - from);
      return answer;
    } catch {
      this.#counts.delete(key);
      return undefined;
    }
  }

  /** The head of a workflow; `null` if there is none. */
  async head(id: string): Promise<WorkflowHead | null> {
    const { store, redact } = this.#settings;
    if (store.loadSince !== undefined) {
      const tail = await store.loadSince(id, Infinity);
      return tail && redactHead(redact, tail.head);
    }
    const state = await store.load(id);
    return state && headOf(redactState(redact, state));
  }

  /** The state of a workflow as it is stored, and not redacted; `null` if there is none. */
  stored(id: string): Promise<WorkflowState | null> {
    return this.#settings.store.load(id);
  }

  /** The children of a run and their children, redacted; those that are in the store and belong to it, up to a limit. */
  async descendants({ workflowId, runId, history }: WorkflowState): Promise<WorkflowState[]> {
    const { store, redact } = this.#settings;
    const found: WorkflowState[] = [];
    const queue = [{ workflowId, runId, history }];
    for (const parent of queue) {
      for (const event of parent.history) {
        if (event.type !== "child_started" || queue.length > MAX_DESCENDANTS) continue;
        const child = await store.load(event.workflowId);
        const from = child === null ? undefined : headOf(child).parent;
        if (child === null || from?.workflowId !== parent.workflowId || from.runId !== parent.runId) continue;
        found.push(redactState(redact, child));
        queue.push(child);
      }
    }
    return found;
  }

  /** What a run waits for, if it is live in the executor. */
  waitsFor({ workflowId, runId }: Pick<WorkflowState, "workflowId" | "runId">): OpenRun["waitsFor"] | undefined {
    const open = this.openRuns().get(workflowId);
    return open?.runId === runId ? open.waitsFor : undefined;
  }

  /** The runs that are live in the executor, by workflow ID. */
  openRuns(): Map<string, OpenRun> {
    const { executor } = this.#settings;
    return new Map(executor?.openRuns().map((run) => [run.workflowId, run]));
  }
}

/** A number of runs, or what a store says in its place. */
function checkCount(count: unknown): number {
  if (typeof count === "number" && count >= 0) return count;
  throw new TypeError(`Cannot count workflows: the store answers ${show(count)}`);
}

/** The head of a state. */
export function headOf({ history, ...state }: WorkflowState): WorkflowHead {
  const { parent, firstRunId = state.runId } = (history[0] ?? {}) as Partial<WorkflowStartedEvent>;
  return { ...state, historyLength: history.length, firstRunId, ...(parent !== undefined && { parent }) };
}
