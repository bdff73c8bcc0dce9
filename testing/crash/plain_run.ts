/**
 * The run in which nothing goes wrong: whether it shows a mistake in the test. All other runs are compared with it, so they would say
 * nothing.
 *
 * @module
 */

import { fit } from "../../pictures/text.ts";
import type { ErrorRecord } from "../../types.ts";
import { showError, showValue } from "../../util/show_value.ts";
import type { ActivityCall } from "../fakes.ts";
import { isUnanswered } from "../recorded.ts";
import type { CrashRun } from "./crash_options.ts";

/** What the packages of Temporal throw where their names are not mapped to this package. */
const UNMAPPED = "IllegalStateError";

/** What the interface of Temporal throws for a value that cannot be stored. */
const UNSTORABLE = "ValueError";

/** Errors that a runtime or this package throws for code that is wrong, such as a workflow that gets no input. */
const MISTAKES: readonly string[] = ["TypeError", "ReferenceError", UNMAPPED, UNSTORABLE];

/** Errors that are thrown for code because of their cause: no code of the user gave it to them. */
const WRAPPERS: readonly string[] = ["CompensationError", "ActivityFailure", "ChildWorkflowFailure"];

/** How wide a value may be. */
const WIDTH = 60;

/** Says what is wrong with the run in which nothing goes wrong, and the way out, in lines; none if nothing is. */
export function mistakesIn(run: CrashRun | undefined, expectFailure = false): string[] {
  if (run === undefined) return [];
  const { state: { status, error }, calls } = run;
  const unanswered = unansweredIn(calls);
  if (unanswered.length > 0) {
    return [
      `The recorded history does not say what the run asks, although nothing goes wrong: ${unanswered.join(", ")}`,
      'Put a replacement of it before recorded() in "activities", and pass the input and the signals of the recorded run',
    ];
  }
  if (expectFailure && status !== "failed" && status !== "running") {
    return [`The run in which nothing goes wrong is ${status}, and expectFailure says that it fails`];
  }
  const mistake = expectFailure || status !== "failed" ? undefined : find(error!);
  if (mistake === undefined) return [];
  const kind = kindOf(mistake);
  const isUnmapped = kind === UNMAPPED && !mistake.message.startsWith("Cannot"); // else the message is of this package
  const place = mistake.stack?.split("\n").find((line) => /^\s+at |@/.test(line));
  return [
    `It fails although nothing goes wrong: ${showError(mistake)}`,
    ...(place === undefined ? [] : [place]),
    ...(isUnmapped ? ["Map all packages of Temporal to this one: see docs/coming-from-temporal.md"] : []),
    `A ${kind} is most likely a mistake in the test: pass the workflow its "input" and its "signals", and replace its ` +
    "activities by fakes\nIf the workflow is meant to fail so, pass expectFailure: true",
  ];
}

/** The activities that a recorded history did not answer, with their inputs, in words. */
export function unansweredIn(calls: readonly ActivityCall[]): string[] {
  const refused = calls.filter(({ outcome }) => outcome?.status === "failed" && isUnanswered(outcome.error));
  return [
    ...new Set(
      refused.map(({ name, input }) =>
        input === undefined ? name : `${name} with the input ${fit(showValue(input), WIDTH)}`
      ),
    ),
  ];
}

/** Finds a mistake in an error or in its parts. What code gave another error as its `cause` was not overlooked. */
function find(error: ErrorRecord): ErrorRecord | undefined {
  if (MISTAKES.includes(kindOf(error))) return error;
  const cause = WRAPPERS.includes(error.name) ? error.cause : undefined;
  return [...cause === undefined ? [] : [cause], ...error.errors ?? []].map(find).find((found) => found !== undefined);
}

/** The class of an error. A workflow or an activity of Temporal throws an `ApplicationFailure` that names it. */
function kindOf({ name, data }: ErrorRecord): string {
  const type = name === "ApplicationFailure" ? data?.type : undefined;
  return typeof type === "string" ? type : name;
}
