/**
 * What comes to a workflow from outside, and when: the words that all players of the test kit share.
 *
 * @module
 */

import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "../../definitions.ts";

/** When something comes, and to whom. */
export interface TimedDelivery {
  /** Milliseconds after the start, from 0. */
  readonly atMs: number;
  /**
   * The ID of the workflow.
   *
   * @default {the workflow under test}
   */
  readonly workflowId?: string;
}

/** A signal that is sent. */
// deno-lint-ignore no-explicit-any -- a signal of any payload
export interface TimedSignal<Payload = any> extends TimedDelivery {
  /** Its name. */
  readonly name: string | SignalDefinition<Payload>;
  /** What is attached: what the definition says, or anything to a mere name. */
  readonly payload?: NoInfer<Payload>;
  /** Who sends it. */
  readonly senderId?: string;
}

/** An update that is asked for. */
export interface TimedUpdate extends TimedDelivery {
  /** Its name. */
  readonly name: string | UpdateDefinition<unknown, never>;
  /** What the handler gets. */
  readonly input?: unknown;
  /** Gets the answer, and throws if that is wrong. With it, an update that is refused or fails is a fault. */
  readonly check?: (answer: never) => void;
}

/** A query that is asked. */
export interface TimedQuery extends TimedDelivery {
  /** Its name. */
  readonly name: string | QueryDefinition<unknown, never>;
  /** What the handler gets. */
  readonly args?: readonly unknown[];
  /** Gets the answer, and throws if that is wrong. */
  readonly check: (answer: never) => void;
}

/** A request to cancel. */
export interface TimedCancel extends TimedDelivery {
  /** Why. */
  readonly reason?: string;
}

/** What comes from outside while a workflow runs. `Signals` are the types of the payloads, one by one. */
// deno-lint-ignore no-explicit-any -- signals of any payload
export interface Deliveries<Signals extends readonly unknown[] = readonly any[]> {
  /**
   * Signals. One to a workflow that has ended is lost.
   *
   * @default {none}
   */
  readonly signals?: readonly [...{ [Key in keyof Signals]: TimedSignal<Signals[Key]> }];
  /**
   * Updates.
   *
   * @default {none}
   */
  readonly updates?: readonly TimedUpdate[];
  /**
   * Queries, to look at the workflow on the way.
   *
   * @default {none}
   */
  readonly queries?: readonly TimedQuery[];
  /**
   * A request to cancel.
   *
   * @default {none}
   */
  readonly cancel?: TimedCancel;
}
