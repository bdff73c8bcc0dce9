/**
 * What clients, the record of a workflow and its runs send each other. Everything travels as JSON text of the package's codec, so that
 * a `Map` or a `Date` arrives as what it is.
 *
 * @module
 */

import { decode, encode } from "../../history/codec.ts";
import { fromErrorRecord } from "../../history/error_record.ts";
import { handOut } from "../../history/value.ts";
import type { CallHeaders, ErrorRecord, ParentClosePolicy, WorkflowEvent, WorkflowStatus } from "../../types.ts";
import { checkText, invalid } from "../../util/check.ts";

/** JSON that holds a value of type `T`, written by {@linkcode pack}. */
export type Packed<T> = { readonly packed: T };

/** Writes a value as JSON. */
export function pack<T>(value: T): Packed<T> {
  return encode(value, "send to Restate") as Packed<T>;
}

/** Reads what {@linkcode pack} has written. */
export function unpack<T>(json: Packed<T>): T {
  return decode(json, "read what Restate has stored") as T;
}

/** What a caller wants a run to do. */
export type Message =
  | {
    readonly kind: "signal";
    readonly name: string;
    readonly payload?: unknown;
    /** Given by the sender: a repeated one is dropped. */
    readonly id?: string | undefined;
    readonly senderId?: string | undefined;
    readonly headers?: CallHeaders | undefined;
  }
  | {
    readonly kind: "update";
    readonly name: string;
    readonly input?: unknown;
    readonly id: string;
    readonly headers?: CallHeaders | undefined;
  }
  | {
    readonly kind: "cancel" | "terminate";
    readonly reason?: string | undefined;
    /** Another run replaces this one: it gets no message after this. */
    readonly last?: boolean | undefined;
  };

/** A message on its way to a run, with the time when the record accepted it. */
export type Numbered = Message & { readonly at: number };

/** A workflow that is to be started. */
export interface StartRequest {
  readonly name: string;
  readonly input?: unknown;
  readonly headers?: CallHeaders | undefined;
  readonly timeoutMs?: number | undefined;
  readonly startAfterMs?: number | undefined;
  readonly startAt?: number | undefined;
  readonly onConflict?: "reject" | "join" | "replace" | undefined;
  readonly reuse?: "replace" | "replace-failed" | "reject" | "join" | undefined;
  readonly signals?: readonly Message[] | undefined;
  readonly parent?: {
    readonly workflowId: string;
    readonly runId: string;
    readonly seq: number;
    readonly closePolicy: ParentClosePolicy;
  } | undefined;
}

/** A run of a workflow, and the invocation in which it runs. */
export interface RunReference {
  readonly runId: string;
  readonly firstRunId: string;
  readonly invocationId: string;
}

/** The answer to a start. */
export interface Started extends RunReference {
  /** Whether the run was there already. */
  readonly isJoined?: boolean | undefined;
}

/**
 * A call that the record of a workflow has refused. `status` is that of the workflow; absent if there is none. `known` are the names of
 * the workflows that the services have, if the start of another one is refused.
 */
export interface Refusal {
  readonly refused: "already_running" | "already_finished" | "not_found" | "unknown_workflow";
  readonly status?: WorkflowStatus | undefined;
  readonly known?: readonly string[] | undefined;
}

/** A message to a workflow. */
export interface DeliverRequest {
  readonly message: Message;
  /** Only to the chain of runs that began with this one. */
  readonly firstRunId?: string | undefined;
}

/** How a run ended. */
export type Outcome =
  | { readonly status: "completed"; readonly result?: unknown }
  | { readonly status: "failed" | "canceled"; readonly error: ErrorRecord };

/** What the record knows of a workflow. */
export interface Described extends RunReference {
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly outcome?: Outcome | undefined;
}

/** What the invocation of a run begins with. */
export interface RunRequest {
  readonly workflowId: string;
  /** The first events of the run. */
  readonly events: readonly WorkflowEvent[];
  /** The time when it was begun. */
  readonly at: number;
  /** What came too late for the run that it continues. */
  readonly messages?: readonly Message[] | undefined;
}

/** What the invocation of a run returns. */
export type RunResult = Outcome | { readonly status: "continued"; readonly next: RunReference };

/** A run has ended, or is to be continued by another one. */
export interface EndRequest {
  readonly runId: string;
  /** How it ended; absent if it is to be continued. */
  readonly outcome?: Outcome | undefined;
}

/** The next run of a chain. */
export interface ContinueRequest {
  readonly runId: string;
  readonly nextRunId: string;
  readonly events: readonly WorkflowEvent[];
  /** The messages that the last run got too late. */
  readonly late: readonly Message[];
}

/** The next run of a chain has begun. */
export interface Continued {
  readonly next: RunReference;
  /** The messages that came meanwhile: it has them too. */
  readonly held: readonly Message[];
}

/** A question to a run. */
export interface QueryRequest {
  readonly workflowId: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What a call of a user's code answered. */
export type Answer = { readonly result?: unknown } | { readonly error: ErrorRecord };

/** The result of an answer; throws its error. */
export function settle(answer: Answer): unknown {
  if ("error" in answer) throw fromErrorRecord(answer.error);
  return handOut(answer.result);
}

/** The answer to an update, or the ID of the run that has it. */
export type UpdateAnswer = Answer | { readonly passedTo: string };

/** The two services: the record of each workflow by its ID, and its runs by theirs. */
export function serviceNames(name: string): { readonly record: string; readonly run: string } {
  return { record: name, run: `${name}.run` };
}

/** Checks the name of the services. */
export function checkServiceName(name: unknown, action: string): void {
  checkText("name", name, action);
  if (!/^[\w.-]+$/.test(name as string)) {
    throw invalid("name", name, 'a name of letters, digits, "_", "-" and "."', action);
  }
}
