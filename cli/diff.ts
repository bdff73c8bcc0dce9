/**
 * `diff`: the first event in which two runs differ.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import { compareHistories } from "../inspector/diff.ts";
import { valueText } from "../inspector/value.ts";
import { formatSince } from "../pictures/mod.ts";
import type { WorkflowState } from "../types.ts";
import type { Flags } from "./options.ts";
import { type Printer, safeJson } from "./print.ts";
import { findRun, type Source } from "./runs.ts";

export async function diff(
  source: Source,
  [id, other]: readonly string[],
  flags: Flags,
  printer: Printer,
): Promise<number> {
  const [left, right] = [await findRun(source, id), await findRun(source, other)];
  const { value, step } = compareHistories(left.history, right.history);
  const at = value ?? step;
  if (flags.json) {
    const side = ({ workflowId, history }: WorkflowState) => ({
      id: workflowId,
      events: history.length,
      ...(at !== undefined && history[at] !== undefined && { event: encode(history[at], "write an event") }),
    });
    printer.out(
      `${
        safeJson({
          same: at === undefined,
          ...(at !== undefined && { number: at + 1 }),
          left: side(left),
          right: side(right),
        })
      }\n`,
    );
    return at === undefined ? 0 : 1;
  }
  if (at === undefined) {
    printer.line("No difference, apart from times");
    return 0;
  }
  const what = at === step ? "is another step" : "holds other values";
  printer.line(`Event ${at + 1} ${what}`);
  for (const [state, sign, color] of [[left, "-", "red"], [right, "+", "green"]] as const) {
    const event = state.history[at];
    const when = event === undefined ? "" : `  ${formatSince(event.at - state.history[0].at)}`;
    printer.line({ text: `${sign} ${state.workflowId}${when}`, color });
    if (event === undefined) printer.line(`  no event: its history ends after ${state.history.length}`);
    else printer.text(valueText(event).trimEnd().replace(/^/gm, "  "));
  }
  if (value !== step && step !== undefined) printer.line(`From event ${step + 1} on, the steps differ too`);
  return 1;
}
