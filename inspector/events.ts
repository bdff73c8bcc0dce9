/**
 * The events of a history on one line each, in groups, and what belongs together.
 *
 * @module
 */

import { type ReadOptions, type ReadRun, readRun, type Span } from "../pictures/mod.ts";
import type {
  CommandEvent,
  ErrorRecord,
  UpdateAcceptedEvent,
  UpdateRequestedEvent,
  WorkflowEvent,
  WorkflowState,
} from "../types.ts";
import { showError, showValue } from "../util/show_value.ts";
import { type Html, markup } from "./html.ts";
import { duration, timeText } from "./times.ts";

/** Groups of events by which a history is filtered. */
export const GROUPS = {
  failures: "Failures",
  activities: "Activities",
  messages: "Signals & updates",
  children: "Children",
  timers: "Timers",
  other: "Other",
} as const;

/** The name of a group. */
export type Group = keyof typeof GROUPS;

/** How a type of event is drawn: the class of its colour, and its group. */
const KINDS: Readonly<Record<WorkflowEvent["type"], readonly [color: string, group: Group]>> = {
  workflow_started: ["completed", "other"],
  workflow_completed: ["completed", "other"],
  workflow_failed: ["failed", "failures"],
  workflow_canceled: ["canceled", "failures"],
  cancel_requested: ["failed", "messages"],
  activity_started: ["activity", "activities"],
  activity_attempt_failed: ["failed", "activities"],
  activity_heartbeat: ["activity", "activities"],
  activity_completed: ["activity", "activities"],
  activity_failed: ["failed", "activities"],
  timer_started: ["timer", "timers"],
  timer_fired: ["timer", "timers"],
  child_started: ["child", "children"],
  child_begun: ["child", "children"],
  child_attempt_failed: ["failed", "children"],
  child_completed: ["child", "children"],
  child_failed: ["failed", "children"],
  signal_received: ["mark", "messages"],
  side_effect: ["mark", "other"],
  compensation_started: ["compensation", "other"],
  labels_changed: ["mark", "other"],
  patched: ["mark", "other"],
  update_requested: ["update", "messages"],
  update_accepted: ["update", "messages"],
  update_rejected: ["failed", "messages"],
  update_completed: ["update", "messages"],
};

/** The class of an event's colour. */
export function colorOf(event: WorkflowEvent): string {
  return errorOf(event) !== undefined && event.type !== "workflow_canceled"
    ? "failed"
    : KINDS[event.type]?.[0] ?? "wait";
}

/** Whether an event belongs to a group. A failure belongs to its own group too. */
export function isIn(event: WorkflowEvent, group: Group): boolean {
  return KINDS[event.type]?.[1] === group || group === "failures" && errorOf(event) !== undefined;
}

/** The error of an event. */
export function errorOf(event: WorkflowEvent): ErrorRecord | undefined {
  return (event as { readonly error?: ErrorRecord }).error;
}

/** `activity_started` as it is read. */
export function typeText(type: string): string {
  return type.replaceAll("_", " ");
}

/** Events by which something was asked for. */
export type Asked = CommandEvent | UpdateRequestedEvent | UpdateAcceptedEvent;

/** A history with an index: which event asked for what another one answers. */
export class Events {
  readonly history: readonly WorkflowEvent[];
  readonly run: ReadRun;
  readonly startedAt: number;
  readonly #asked = new Map<number | string, Asked>();
  /** The names of compensations as the pictures have them. */
  readonly #compensations = new Map<WorkflowEvent, string | undefined>();

  constructor(state: WorkflowState, options: ReadOptions = {}) {
    this.history = state.history;
    this.run = readRun(state, options);
    this.startedAt = this.run.startedAt;
    for (const [index, event] of state.history.entries()) {
      if (event.type === "compensation_started") this.#compensations.set(event, this.run.owners[index]?.name);
      const key = keyOf(event);
      if (key !== undefined && !this.#asked.has(key)) this.#asked.set(key, event as Asked);
    }
  }

  /** The event that asked for what this one is about; `undefined` if there is none, or it is this event. */
  askedBy(event: WorkflowEvent): Asked | undefined {
    const key = keyOf(event);
    const asked = key === undefined ? undefined : this.#asked.get(key);
    return asked === event ? undefined : asked;
  }

  /** The span that an event belongs to. */
  spanOf(index: number): Span | undefined {
    const thing = this.run.owners[index];
    return thing !== undefined && "to" in thing ? thing : undefined;
  }

  /** The name of what an event is about. */
  nameOf(event: WorkflowEvent): string | undefined {
    if (event.type === "compensation_started") return this.#compensations.get(event);
    const asked = "name" in event ? event : this.askedBy(event);
    return asked !== undefined && "name" in asked ? asked.name : undefined;
  }

  /** An event on one line, without its type. */
  describe(event: WorkflowEvent): Html {
    const name = this.nameOf(event);
    const bold = name !== undefined && markup`<b>${name}</b> `;
    const attempt = "attempt" in event && event.attempt > 1 && `attempt ${event.attempt} `;
    switch (event.type) {
      case "workflow_started":
        return markup`${valueOf(event.input)}`;
      case "workflow_completed":
        return markup`→ ${showValue(event.result)}`;
      case "workflow_failed":
      case "workflow_canceled":
        return markup`<span class="bad">${showError(event.error)}</span>`;
      case "cancel_requested":
        return markup`${event.timeoutMs === undefined ? event.reason : `timeout of ${duration(event.timeoutMs)}`}`;
      case "activity_attempt_failed":
      case "child_attempt_failed":
        return markup`${bold}<span class="bad">attempt ${event.attempt}: ${showError(event.error)}; next in ${
          duration(event.retryAt - event.at)
        }</span>`;
      case "activity_heartbeat":
        return markup`${bold}${attempt}${valueOf(event.details)}`;
      case "activity_completed":
      case "child_completed":
        return markup`${bold}${attempt}→ ${showValue(event.result)}`;
      case "activity_failed":
      case "child_failed":
      case "update_rejected":
        return markup`${bold}<span class="bad">${attempt}${showError(event.error)}</span>`;
      case "update_completed":
        return event.error
          ? markup`${bold}<span class="bad">${showError(event.error)}</span>`
          : markup`${bold}→ ${showValue(event.result)}`;
      case "timer_started":
        return markup`for ${duration(event.dueAt - event.at)}${limited(event)}`;
      case "timer_fired": {
        const asked = this.askedBy(event);
        return markup`${asked && `after ${duration(event.at - asked.at)}`}`;
      }
      case "child_started":
        return markup`${bold}${event.workflowId} ${valueOf(event.input)}`;
      case "signal_received":
        return markup`${bold}${valueOf(event.payload)}${event.senderId !== undefined && ` from ${event.senderId}`}`;
      case "side_effect":
        return event.error
          ? markup`<span class="bad">${showError(event.error)}</span>`
          : markup`→ ${showValue(event.value)}`;
      case "labels_changed":
        return markup`${showValue(event.labels)}`;
      case "patched":
        return markup`<b>${event.changeId}</b>`;
      case "activity_started":
      case "update_requested":
      case "update_accepted":
        return markup`${bold}${valueOf(event.input)}`;
      default:
        return markup`${bold}`;
    }
  }
}

/** What a timer limits. */
function limited(event: WorkflowEvent): string {
  const { waitsFor } = event as { waitsFor?: { readonly signal: string } | string };
  if (waitsFor === undefined) return "";
  return typeof waitsFor === "object" ? ` at most, for signal ${waitsFor.signal}` : ` at most, for a ${waitsFor}`;
}

function valueOf(value: unknown): string {
  return value === undefined ? "" : showValue(value);
}

function keyOf(event: WorkflowEvent): number | string | undefined {
  return "seq" in event ? event.seq : "updateId" in event ? `update ${event.updateId}` : undefined;
}

/** The properties of an event that hold what users gave. */
export const VALUES = ["input", "result", "payload", "details", "heartbeatDetails", "value", "error"] as const;

/** The other properties of an event, as texts. */
export function factsOf(event: WorkflowEvent): [name: string, text: string][] {
  return Object.entries(event).flatMap(([name, value]): [string, string][] => {
    if (name === "type" || name === "at" || value === undefined || (VALUES as readonly string[]).includes(name)) {
      return [];
    }
    if (name.endsWith("At") && typeof value === "number") return [[name, timeText(value)]];
    if (name.endsWith("Ms") && typeof value === "number") return [[name, duration(value)]];
    return [[name, typeof value === "string" ? value : showValue(value)]];
  });
}
