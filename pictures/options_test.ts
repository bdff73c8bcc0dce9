/** Every options object of the pictures refuses unknown names, and names the likely one. */

import { assertThrows } from "@std/assert";
import { formatTimeline, type PicturedRun, toMermaid, toSvg } from "@rockpool/workflow/pictures";

const run: PicturedRun = { workflowId: "a", workflowName: "w", status: "running", history: [] };

/** Calls with an unknown option, and the error. */
const REFUSED: [call: (option: object) => unknown, option: object, message: string][] = [
  [
    (option) => formatTimeline(run, option),
    { maxLine: 10 },
    'Cannot format the timeline of workflow "a": "options" has no option "maxLine"; did you mean "maxLines"?',
  ],
  [
    (option) => toSvg(run, option),
    { axes: "time" },
    'Cannot draw workflow "a": "options" has no option "axes"; did you mean "axis"?',
  ],
  [
    (option) => toMermaid(run, { kind: "gantt", ...option }),
    { kinds: "gantt" },
    'Cannot draw workflow "a": "options" has no option "kinds"; did you mean "kind"?',
  ],
];

Deno.test("The pictures refuse unknown options, and name the likely one", () => {
  for (const [call, option, message] of REFUSED) assertThrows(() => call(option), TypeError, message);
  toSvg(run, { axis: undefined });
  formatTimeline(run, { maxLines: undefined, marks: undefined });
});
