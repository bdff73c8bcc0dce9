/**
 * What a failed `crashTest()` or `simulate()` prints: histories, events, errors, and hints at the code that is the cause.
 *
 * @module
 */

import { NonDeterminismError } from "../../errors.ts";
import { fit } from "../../pictures/text.ts";
import { formatTimeline } from "../../pictures/timeline.ts";
import type { WorkflowEvent, WorkflowState } from "../../types.ts";
import { foreignSources } from "../../util/foreign_source.ts";
import { show } from "../../util/show.ts";
import { showError, showValue } from "../../util/show_value.ts";
import type { Death } from "./fault_plan.ts";
import { describeEvent } from "./journal.ts";
import type { Trouble } from "./world.ts";

/** How wide a value may be in the line of an event. */
const VALUE_WIDTH = 80;

/** Shows the histories of all runs, with marks where processes died. */
export function formatHistories(
  title: string,
  states: readonly WorkflowState[],
  deaths: readonly Death[] = [],
): string {
  const timelines = states.map((state) => {
    const marks = deaths.filter(({ runId }) => runId === state.runId).map(({ side, number }) => ({
      after: side === "before" ? number - 1 : number,
      text: "the process dies",
    }));
    return formatTimeline(state, { marks });
  });
  return [`${title}:`, ...timelines].join("\n");
}

/** Shows an event and its value or error: `activity_completed "charge"  "paid"`. */
export function showEvent(event: WorkflowEvent, history: readonly WorkflowEvent[]): string {
  const { result, input, payload, value, error } = event as unknown as Record<string, unknown>;
  const content = result ?? input ?? payload ?? value;
  const text = error !== undefined ? showError(error) : content === undefined ? "" : showValue(content);
  return `${describeEvent(event, history)}${text === "" ? "" : `  ${fit(text, VALUE_WIDTH)}`}`;
}

/** The whole text of what a function of the test threw: a failed assertion has many lines. */
export function thrownText(error: unknown): string {
  return error instanceof Error ? `${error}` : `thrown ${showValue(error)}`;
}

/**
 * The message of an error of the executor, without the lines for code that was edited or deployed: a test runs the same
 * code all the time.
 */
export function messageOf(error: unknown): string {
  const lines = (error as Error).message.split("\n");
  const kept = lines.filter((line) => !/^ {2}(Likely edit:|The stored run is unchanged)/.test(line));
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  if (code === "store_failed" && cause !== undefined) kept.push(`Its last error: ${showError(cause)}`);
  return kept.join("\n");
}

/** `NonDeterminismError.expected` of code that waited for something that is not of its context. */
const FOREIGN_WAIT = "a wait for the context";

/** Workflows by their names. */
type Workflows = Readonly<Record<string, unknown>>;

/** The workflows that have run: a host may have many, and only what ran can be the cause. */
export function ranOf(workflows: Workflows, states: readonly WorkflowState[]): Workflows {
  const names = new Set(states.map(({ workflowName }) => workflowName));
  return Object.fromEntries(Object.entries(workflows).filter(([name]) => names.has(name)));
}

/** Hints at the code that may have caused a trouble. */
export function hintsOn({ kind, error }: Trouble, workflows: Workflows): string[] {
  if (kind === "endless") return sourceHints(workflows);
  if (!(error instanceof NonDeterminismError)) return [];
  return error.expected === FOREIGN_WAIT ? sourceHints(workflows) : [adviceOn(workflows)];
}

/** What to do about code that makes another decision than in the undisturbed run, or than its history says. */
export function adviceOn(workflows: Workflows): string {
  const hints = sourceHints(workflows);
  if (hints.length > 0) return hints.join("\n");
  return "The code made another decision, so it depends on something that is not in the history: a module variable, a closure, " +
    "the environment\n" +
    "Keep the workflow's state in variables inside its function, and read everything that can change in an activity or in " +
    "ctx.sideEffect()";
}

/** What workflow code must not use, and what to use instead. */
const SUSPECTS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bMath\.random\b/, "use ctx.random(), which returns the same on replay"],
  [
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bTemporal\.Now\b/,
    "use ctx.now(), which returns the same on replay",
  ],
  [/\brandomUUID\b|\bgetRandomValues\b/, "use ctx.uuid() or ctx.random(), which return the same on replay"],
  [/\bsetTimeout\b|\bsetInterval\b|\bdelay\(/, "wait with ctx.sleep(), which survives a restart"],
  [/\bfetch\(|\bDeno\.|\bprocess\.|\blocalStorage\b/, "move it into an activity, whose result is recorded"],
];

/** Finds suspects in the source text of workflows. They are hints only: a text proves nothing. */
export function sourceHints(workflows: Workflows): string[] {
  const hints: string[] = [];
  for (const [name, workflow] of Object.entries(workflows)) {
    const foreign = typeof workflow === "function" ? foreignSources.get(workflow) : undefined;
    for (const [i, line] of `${foreign?.code ?? workflow}`.split("\n").entries()) {
      const code = line.replace(/(^|\s)\/\/.*/, "").trim();
      for (const [pattern, instead] of SUSPECTS) {
        const found = pattern.exec(code);
        const advice = foreign !== undefined && instead.includes("ctx.") ? foreign.safeGlobals : instead;
        if (found === null || advice === undefined) continue;
        hints.push(`Line ${i + 1} of workflow ${show(name)} has \`${excerpt(code, found.index)}\`: ${advice}`);
      }
    }
  }
  return hints;
}

/** A line, or its part around an index: a compiler may write a function as one line. */
function excerpt(line: string, index: number): string {
  if (line.length <= 120) return line;
  const [from, to] = [Math.max(0, index - 40), index + 60];
  return `${from > 0 ? "…" : ""}${line.slice(from, to)}${to < line.length ? "…" : ""}`;
}
