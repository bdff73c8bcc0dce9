/**
 * What a run can be saved as.
 *
 * Everything is redacted, and downloaded rather than shown: a file never runs in the origin of the inspector.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import { stateAt } from "../history/state_at.ts";
import { formatTimeline, type ReadOptions, toMermaid, toSvg } from "../pictures/mod.ts";
import { historyToText } from "../testing/history_text.ts";
import { toTest } from "../testing/test_writer.ts";
import type { ErrorRecord, WorkflowState } from "../types.ts";
import { RunView } from "./run_view.ts";
import { errorText, valueText } from "./value.ts";

/** One kind of file. */
interface Export {
  readonly text: string;
  readonly hint: string;
  readonly type: string;
  /** The end of the file's name. */
  readonly extension: string;
  readonly write: (state: WorkflowState, options: ReadOptions, children: readonly WorkflowState[]) => string;
}

/** The kinds of files by their names in an address. */
export const EXPORTS: Readonly<Record<string, Export>> = {
  history: {
    text: "History",
    hint: "a golden file for assertReplays()",
    type: "text/plain",
    extension: ".history",
    write: (state) => historyToText(state),
  },
  test: {
    text: "Test",
    hint: "repeats the run, with fakes of its activities",
    type: "text/plain",
    extension: "_test.ts",
    write: (state, _, children) => toTest(state, { children }),
  },
  svg: {
    text: "SVG",
    hint: "the timeline as a picture",
    type: "image/svg+xml",
    extension: ".svg",
    write: (state, options) => toSvg(state, options),
  },
  mermaid: {
    text: "Mermaid",
    hint: "a sequence diagram for Markdown",
    type: "text/plain",
    extension: ".mmd",
    write: (state, options) => toMermaid(state, { ...options, kind: "sequence" }),
  },
  gantt: {
    text: "Mermaid Gantt",
    hint: "the timeline as a Gantt chart",
    type: "text/plain",
    extension: ".gantt.mmd",
    write: (state, options) => toMermaid(state, { ...options, kind: "gantt" }),
  },
  text: {
    text: "Text",
    hint: "the timeline for a terminal or an issue",
    type: "text/plain",
    extension: ".txt",
    write: (state, options) => formatTimeline(state, options),
  },
  json: {
    text: "JSON",
    hint: "the whole state, values with their types",
    type: "application/json",
    extension: ".json",
    write: (state) => `${JSON.stringify(encode(state, "export workflow"), null, 2)}\n`,
  },
};

/**
 * The answer to `export=NAME`; `undefined` if there is no such export.
 *
 * @param latest The state, redacted.
 * @param options What pictures need beyond it, if the run is shown as it is.
 * @param readChildren Reads the children of the run and their children, redacted.
 */
export async function exportResponse(
  parameters: URLSearchParams,
  latest: WorkflowState,
  options: ReadOptions,
  readChildren: () => Promise<readonly WorkflowState[]>,
): Promise<Response | undefined> {
  const view = new RunView(parameters, latest);
  const state = view.at === undefined ? latest : stateAt(latest, view.at);
  const name = parameters.get("export") ?? "";
  if (name === "value") return wholeValue(parameters, view, state);
  if (!Object.hasOwn(EXPORTS, name)) return undefined;
  const { type, extension, write } = EXPORTS[name];
  const children = name === "test" ? await readChildren() : [];
  return file(write(state, view.at === undefined ? options : {}, children), type, `${fileName(view)}${extension}`);
}

/** A value of an event or of the run, without limits. */
function wholeValue(parameters: URLSearchParams, view: RunView, state: WorkflowState): Response | undefined {
  const of = parameters.get("of") ?? "";
  const holder = (view.event === undefined ? state : state.history[view.event - 1]) as unknown as Record<
    string,
    unknown
  >;
  if (!Object.hasOwn(holder, of)) return undefined;
  const value = holder[of];
  const text = of === "error" ? errorText(value as ErrorRecord) : valueText(value);
  const place = view.event === undefined ? "" : `-event-${view.event}`;
  return file(text, "text/plain", `${fileName(view)}${place}-${of}.txt`);
}

function file(text: string, type: string, name: string): Response {
  return new Response(text, {
    headers: {
      "content-type": `${type}; charset=utf-8`,
      "content-disposition": `attachment; filename="${name}"`,
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    },
  });
}

/** A name that every system accepts. */
function fileName({ id, at }: RunView): string {
  const name = id.slice(0, 200).replace(/[^\w.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "run";
  return at === undefined ? name : `${name}-at-${at}`;
}
