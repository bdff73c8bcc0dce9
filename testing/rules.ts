/**
 * Rules: what must hold of every run, as functions of a state that throw. They serve in a test, as `check` of `explore()` and
 * `crashTest()`, as `always` of `simulate()`, and live over the changes of a store.
 *
 * A rule names what happens in a history by a text: an activity by its name, or `signal:NAME`, `update:NAME`, `child:NAME`,
 * `compensation:NAME`, `canceled` for a request to cancel, or the type of an event.
 *
 * @example
 * ```ts
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { each, explore, never } from "@rockpool/workflow/testing";
 *
 * const charge = () => "paid";
 * const ship = () => "sent";
 * const refund = () => "paid back";
 *
 * async function order(ctx: WorkflowContext) {
 *   ctx.addCompensation((ctx) => ctx.executeActivity(refund));
 *   await ctx.executeActivity(charge);
 *   await ctx.executeActivity(ship);
 * }
 *
 * const rules = [never("ship").after("canceled"), each("charge").isFollowedBy("ship", "refund").within(60_000)];
 * await explore(order, { cancels: 1, check: ({ state }) => rules.forEach((rule) => rule(state)) });
 * ```
 *
 * @module
 */

import { finalStatus } from "../history/history.ts";
import { formatDuration } from "../pictures/text.ts";
import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { checkNumber, checkText } from "../util/check.ts";
import { show } from "../util/show.ts";

/**
 * What must hold of a run. Throws a {@linkcode RuleError} if it does not.
 *
 * @category Testing
 */
export type Rule = (state: WorkflowState) => void;

/**
 * A rule does not hold. The message names the rule, the run and the event.
 *
 * @category Testing
 */
export class RuleError extends Error {
  /** Makes an error. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RuleError";
  }
}

/**
 * Something must never happen: the start of {@linkcode never}.
 *
 * @category Testing
 */
export interface NeverRule extends Rule {
  /**
   * It must not happen once something else has: for an activity, it must not begin.
   *
   * @param what What it is that comes before.
   */
  after(what: string): Rule;
}

/**
 * Something must be followed by something else: the result of `each().isFollowedBy()`.
 *
 * @category Testing
 */
export interface FollowedRule extends Rule {
  /**
   * It must follow in time. Without this, it must follow before the run ends.
   *
   * @param ms How long it may take, in milliseconds, from 0.
   */
  within(ms: number): Rule;
}

/** The prefix of a text, and the type of event that it means. */
const TYPES: Readonly<Record<string, WorkflowEvent["type"]>> = {
  signal: "signal_received",
  update: "update_accepted",
  child: "child_started",
  compensation: "compensation_started",
};

/** Finds where something happens in a history: the indices of events. An activity happens when it begins, or when it has completed. */
function places(what: string, history: readonly WorkflowEvent[], activity: "begins" | "completed"): number[] {
  const [, prefix, rest] = /^(signal|update|child|compensation):(.+)$/s.exec(what) ?? [];
  const matches = (event: WorkflowEvent): boolean => {
    if (prefix !== undefined) return event.type === TYPES[prefix] && nameOf(event) === rest;
    if (what === "canceled") return event.type === "cancel_requested";
    if (event.type === what) return true;
    if (activity === "begins") return event.type === "activity_started" && event.name === what;
    if (event.type !== "activity_completed") return false;
    const start = history.find((other) => other.type === "activity_started" && other.seq === event.seq);
    return start?.type === "activity_started" && start.name === what;
  };
  return history.flatMap((event, i) => matches(event) ? [i] : []);
}

function nameOf(event: WorkflowEvent): string | undefined {
  return (event as { readonly name?: string; readonly workflowName?: string }).name ??
    (event as { readonly workflowName?: string }).workflowName;
}

function broken(rule: string, { workflowId, runId }: WorkflowState, what: string): RuleError {
  return new RuleError(`Rule broken: ${rule}\nWorkflow ${show(workflowId)}, run ${show(runId)}: ${what}`);
}

/**
 * Begins a rule of what must not happen. As it is, it must not happen at all.
 *
 * @param what What must not happen; an activity must not begin.
 * @throws {TypeError} If it is not a non-empty text.
 *
 * @category Testing
 */
export function never(what: string): NeverRule {
  checkText("what", what, "make a rule");
  const rule: Rule = (state) => {
    const [at] = places(what, state.history, "begins");
    if (at !== undefined) throw broken(`never ${show(what)}`, state, `event ${at + 1} is ${show(what)}`);
  };
  const after = (before: string): Rule => {
    checkText("what", before, "make a rule");
    return (state) => {
      const [first] = places(before, state.history, "completed");
      const at = places(what, state.history, "begins").find((place) => place > first);
      if (at === undefined) return; // also if nothing was completed: no place is after that
      const text = `never ${show(what)} after ${show(before)}`;
      throw broken(text, state, `event ${first + 1} is ${show(before)}, and event ${at + 1} is ${show(what)}`);
    };
  };
  return Object.assign(rule, { after });
}

/**
 * Begins a rule of what must follow each time that something has happened. An activity has happened when it has completed.
 *
 * @param what What must be followed.
 * @throws {TypeError} If it is not a non-empty text.
 *
 * @category Testing
 */
export function each(what: string): { isFollowedBy(...followers: readonly string[]): FollowedRule } {
  checkText("what", what, "make a rule");
  return {
    isFollowedBy(...followers) {
      if (followers.length === 0) throw new TypeError("Cannot make a rule: isFollowedBy() needs at least one text");
      for (const [i, follower] of followers.entries()) checkText(`followers[${i}]`, follower, "make a rule");
      const rule = (limitMs: number): Rule => (state) => {
        const { history } = state;
        const last = history.at(-1);
        if (last === undefined) return;
        const followed = followers.flatMap((follower) => places(follower, history, "completed"));
        const isOver = finalStatus(last) !== undefined;
        for (const place of places(what, history, "completed")) {
          const end = history[place].at + limitMs;
          if (followed.some((other) => other > place && history[other].at <= end)) continue;
          if (!isOver && last.at <= end) continue; // it may still follow
          const within = limitMs === Infinity ? "" : ` within ${formatDuration(limitMs)}`;
          const text = `each ${show(what)} is followed by ${followers.map(show).join(" or ")}${within}`;
          throw broken(text, state, `event ${place + 1} is ${show(what)}, and nothing of that follows`);
        }
      };
      return Object.assign(rule(Infinity), {
        within(ms: number): Rule {
          checkNumber("ms", ms, 0, "make a rule");
          return rule(ms);
        },
      });
    },
  };
}
