/**
 * The ways in which `whatIf()` lets something go wrong with an activity, as decisions at the points of a run.
 *
 * @module
 */

import type { WorkflowEvent } from "../../types.ts";
import type { ActivityCall } from "../fakes.ts";
import { type AttemptFailure, type Option, type Question, SIDES } from "./choices.ts";

/** Tells the calls of the activity that is meant from all others. */
export type IsMeant = (call: Pick<ActivityCall, "idempotencyKey">) => boolean;

/** Says which option is chosen at a point; `undefined` if it is not the point that is meant. */
export type Decision = (question: Question, isMeant: IsMeant) => ((option: Option) => boolean) | undefined;

/** One way to go wrong. Each of its decisions is a run. */
export interface Way {
  readonly what: string;
  readonly decisions: readonly Decision[];
}

/** The ways that an activity is tried with. */
export function waysOf(failures: readonly AttemptFailure[], returns: Iterable<string>): Way[] {
  const many: Partial<Record<AttemptFailure, string>> = {
    fails: "always fails",
    "loses its answer": "loses every answer",
  };
  return [
    ...failures.flatMap((what): Way[] => {
      const always = what === "never answers" || what === "works late";
      const way = { what, decisions: [fate(what, always)] };
      return many[what] === undefined ? [way] : [way, { what: many[what], decisions: [fate(what, true)] }];
    }),
    {
      what: "crash",
      decisions: [
        crash(/^activity_started$/, SIDES.between),
        crash(/^activity_(completed|failed)$/, SIDES.before),
        crash(/^activity_(completed|failed)$/, SIDES.after),
      ],
    },
    { what: "cancel", decisions: [cancel] },
    ...Array.from(returns, (what): Way => ({ what, decisions: [fate(what, true)] })),
  ];
}

/** All attempts, or the first one, go so. */
function fate(text: string, always: boolean): Decision {
  return ({ about, calls: [call] = [] }, isMeant) => {
    if (!about.startsWith("activity ") || call === undefined || !isMeant(call)) return undefined;
    return always || call.attempt === 1 ? (option) => option.text === text : undefined;
  };
}

/** The process dies at an event of the activity. */
function crash(type: RegExp, side: string): Decision {
  return ({ write }, isMeant) => {
    const isIt = (event: WorkflowEvent) =>
      type.test(event.type) && isMeant({ idempotencyKey: `${write!.batch.runId}:${(event as { seq: number }).seq}` });
    return write?.batch.events.some(isIt) ? ({ text }) => text === side : undefined;
  };
}

/** A cancellation comes while the activity is in flight. */
const cancel: Decision = ({ about, calls }, isMeant) =>
  about === "next" && calls!.some(isMeant) ? ({ uses }) => uses === "cancels" : undefined;
