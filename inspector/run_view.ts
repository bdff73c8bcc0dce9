/**
 * What the address of a run's page asks for.
 *
 * @module
 */

import type { WorkflowState } from "../types.ts";
import { link, type Query } from "./links.ts";

/** The three ways to draw the horizontal axis. */
export type Axis = "folded" | "time" | "events";

/** The view of a run. */
export class RunView {
  readonly id: string;
  /** How many events the run has. */
  readonly length: number;
  /** The run is shown as it was after so many events; `undefined` for as it is. */
  readonly at: number | undefined;
  /** The chosen event, counted from 1. */
  readonly event: number | undefined;
  readonly axis: Axis | undefined;
  readonly group: string | undefined;
  readonly page: number | undefined;
  /** Whether a long history is replayed for the answers of queries. */
  readonly replays: boolean;
  /** Whether the last page of the history is the first to be seen. */
  readonly opensAtEnd: boolean;

  constructor(parameters: URLSearchParams, { workflowId, status, history }: WorkflowState) {
    const number = (name: string, most: number) => {
      const text = parameters.get(name) ?? "";
      return /^\d{1,15}$/.test(text) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined;
    };
    this.id = workflowId;
    this.length = history.length;
    const at = number("at", history.length);
    this.at = at === history.length ? undefined : at;
    this.event = number("e", this.at ?? history.length);
    const axis = parameters.get("axis");
    this.axis = axis === "folded" || axis === "time" || axis === "events" ? axis : undefined;
    this.group = parameters.get("f") ?? undefined;
    this.page = number("page", Infinity);
    this.replays = parameters.has("replay");
    this.opensAtEnd = status === "running" && this.at === undefined;
  }

  /** The address of the view with changes. */
  link(changes: Query): string {
    const { id, at, event: e, axis, group: f, page } = this;
    return link({ id, at, e, axis, f, page, ...changes });
  }
}
