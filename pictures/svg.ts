/**
 * A stored run as an SVG picture: what ran when, attempt by attempt, and where the time went.
 *
 * 1. The picture is self-contained: no script, no link, no embedded font. It has colors for light pages, and for dark pages
 *    where the reader prefers them. Color is never the only sign of something.
 * 2. No text leaves its box, and no boxes of text overlap: widths are estimated from above. A text that is too long is cut,
 *    and its tooltip has the whole text.
 * 3. Height and size are bounded, whatever the history is: see {@linkcode layOut}.
 * 4. A picture for a narrow page has the same parts: only its columns are narrower.
 *
 * @module
 */

import { checkChoice, checkInteger, checkOptions } from "../util/check.ts";
import { showError } from "../util/show_value.ts";
import type { AxisKind } from "./axis.ts";
import { flagsText } from "./flags.ts";
import { type Bar, type Layout, layOut, type Look, type Row } from "./layout.ts";
import { describeStatus, type PicturedRun, type ReadOptions, type ReadRun, type TimelineMark } from "./model.ts";
import {
  type Block,
  COLORS,
  type Columns,
  fill,
  flow,
  MARGIN,
  pixelsOf,
  round,
  SMALL,
  stroke,
  svgText,
  text,
  titleText,
} from "./paint.ts";
import { checkReadOptions, READ_OPTIONS, readRun } from "./read.ts";
import { type Share, sharesOf } from "./shares.ts";
import { formatDuration, plural } from "./text.ts";
import { describeWaits } from "./waits.ts";

/**
 * Options of {@linkcode toSvg}.
 *
 * @category Pictures
 */
export interface SvgOptions extends ReadOptions {
  /**
   * What the horizontal axis shows: the time; the time, with long waits folded; or the events one after the other. With `"events"`,
   * things that happened in the same millisecond are apart; on a virtual clock that is nearly everything.
   *
   * @default {"time", or "folded" if one wait takes most of the time, or "events" if no time passed}
   */
  readonly axis?: "time" | "folded" | "events" | undefined;
  /**
   * Lines between the events, in order, such as the death of a process. The time between two marks without an event between is folded
   * too.
   *
   * @default {[]}
   */
  readonly marks?: readonly TimelineMark[] | undefined;
  /**
   * The width in pixels; an integer from 320.
   *
   * @default {960}
   */
  readonly width?: number | undefined;
}

const MIN_WIDTH = 320;
const AXES: readonly AxisKind[] = ["time", "folded", "events"];

const SHARE_COLORS: Record<Share["what"], string> = {
  "activities": "activity",
  "children": "child",
  "retry delays": "retry",
  "start delay": "delay",
  "waits for signals": "signal",
  "waits for conditions": "condition",
  "timers": "timer",
  "other waits": "other",
};

/**
 * Draws a run as SVG: a row for every activity, child, update, compensation and signal by its name, with a lane for each of
 * those that run at the same time. Something that takes no time has a visible width, too.
 *
 * Long stretches of time in which the run only waited are folded. A bar with stripes is a failed attempt, a diamond an event of one
 * moment.
 *
 * @param run The stored state of the run, or the parts of it that a picture needs.
 * @param options All are optional.
 * @returns The text of an SVG file. It has colors for light pages, and for dark pages where the reader prefers them.
 * @throws {TypeError} If an option is unknown, `axis` is no kind of axis, or `waitsFor` is not an array.
 * @throws {RangeError} If `width` is not an integer from 320, or `now` is not a finite number.
 *
 * @example
 * ```ts
 * import { toSvg } from "@rockpool/workflow/pictures";
 * import { assert } from "@std/assert";
 *
 * const history = [
 *   { type: "workflow_started", at: 0, workflowName: "order" },
 *   { type: "activity_started", at: 0, seq: 0, name: "charge" },
 * ] as const;
 * const run = { workflowId: "a", workflowName: "order", status: "running", history } as const;
 * const svg = toSvg(run, { now: 90_000, marks: [{ after: 2, at: 60_000, text: "the process dies" }] });
 * assert(svg.startsWith("<svg "));
 * assert(svg.includes("running for 1 min 30 s"));
 * ```
 *
 * @category Pictures
 */
export function toSvg(run: PicturedRun, options: SvgOptions = {}): string {
  const action = "draw workflow";
  checkOptions(options, { ...READ_OPTIONS, axis: true, marks: true, width: true }, action, run.workflowId);
  checkReadOptions(options, action, run.workflowId);
  const { axis, marks = [], width = 960, now, waitsFor } = options;
  checkChoice("axis", axis, AXES, action, run.workflowId);
  checkInteger("width", width, MIN_WIDTH, action, run.workflowId);
  const columns = columnsOf(width);
  const read = readRun(run, { now, waitsFor });
  const layout = layOut(read, axis, marks, columns.plotFrom, columns.plotTo);
  const head = headOf(read, columns);
  const shares = sharesText(sharesOf(read), read, head.to, columns);
  const flagTexts = flagsText(layout.flags, shares.to + 2, columns);
  const ticksAt = flagTexts.list.to + 12;
  const flags = flagTexts.stems(ticksAt + 8);
  const plotAt = flags.to + 6;
  const plotTo = plotAt + layout.height;
  const legend = legendText(legendOf(layout), plotTo + 8, columns);
  const height = Math.ceil(legend.to + 12);
  return svgText(width, height, `${read.name} ${read.id}: ${describeStatus(read)}`, [
    ...head.parts,
    ...shares.parts,
    ...flagTexts.list.parts,
    ...gridText(layout, ticksAt, flags.to, plotTo, width),
    ...layout.rows.map((row) => rowText(row, plotAt, columns)),
    ...layout.flags.map(({ x }) =>
      `<path d="M${round(x)} ${flags.to}V${plotTo}" stroke-width="1.5" ${stroke("text")}/>`
    ),
    ...flags.parts,
    ...legend.parts,
  ]);
}

function columnsOf(width: number): Columns {
  const names = Math.round(Math.min(190, Math.max(104, width * 0.2)));
  const sums = Math.round(Math.min(160, Math.max(64, width * 0.17)));
  return { width, names, plotFrom: MARGIN + names + 12, plotTo: width - MARGIN - sums - 12, sums };
}

/** Signs of the statuses, drawn around their center. */
const SIGNS: Record<ReadRun["status"], string> = {
  running: `<circle r="4.5" fill="none" stroke-width="2"`,
  completed: `<path d="M-4.5 0L-1.5 3.5L5 -4" fill="none" stroke-width="2"`,
  failed: `<path d="M-4 -4L4 4M-4 4L4 -4" fill="none" stroke-width="2"`,
  canceled: `<path d="M-5 0H5" fill="none" stroke-width="2.5"`,
};

const signOf = (status: ReadRun["status"]) => `${SIGNS[status]} ${stroke(status)}/>`;

function headOf(run: ReadRun, { width }: Columns): Block {
  const room = width - 2 * MARGIN;
  const nameWidth = Math.min(pixelsOf(run.name, 16, "bold"), room * 0.6);
  const status = describeStatus(run) + (run.error ? `: ${showError(run.error)}` : "");
  const facts = plural(run.history.length, "event");
  const factsWidth = pixelsOf(facts) + 1;
  const waits = run.now === undefined && run.waits.every(({ type }) => type === "dormant")
    ? ""
    : describeWaits(run.waits, run.to);
  const parts = [
    text(run.name, MARGIN, 36, nameWidth + 1, { size: 16, weight: "bold" }),
    text(run.id, MARGIN + nameWidth + 8, 36, room - nameWidth - 8, { size: 14, color: "muted" }),
    `<g transform="translate(${MARGIN + 6} 55)">${signOf(run.status)}</g>`,
    text(status, MARGIN + 20, 59, room - 20 - factsWidth - 12, { color: run.status }),
    text(facts, width - MARGIN, 59, factsWidth, { color: "muted", anchor: "end" }),
    text(waits, MARGIN + 20, 77, room - 20, { color: "muted" }),
  ];
  return { parts, to: waits === "" ? 74 : 92 };
}

/** A bar that is divided into the shares of the time, and the names of the shares below it. */
function sharesText(shares: readonly Share[], { from, to }: ReadRun, y: number, { width }: Columns): Block {
  if (shares.length === 0) return { parts: [], to: y };
  const room = width - 2 * MARGIN;
  const total = to - from;
  let x = MARGIN;
  const bars = shares.map(({ what, ms }) => {
    const part = ms / total * room;
    const size = `width="${round(Math.max(part - 1, 1))}" height="8"`;
    const bar = `<rect x="${round(x)}" y="${y}" ${size} rx="2" ${fill(SHARE_COLORS[what])}>` +
      `<title>${what} ${formatDuration(ms)}</title></rect>`;
    x = Math.min(x + part, width - MARGIN - 1);
    return bar;
  });
  const labels = shares.map(({ what, ms, percent }) => ({
    content: `${what} ${formatDuration(ms)}${percent === "" ? "" : ` · ${percent}`}`,
  }));
  const legend = flow(
    labels,
    y + 17,
    width - MARGIN,
    (i, x, y) => `<rect x="${round(x)}" y="${y}" width="10" height="10" rx="2" ${fill(SHARE_COLORS[shares[i].what])}/>`,
  );
  return { parts: [...bars, ...legend.parts], to: legend.to };
}

/** What is behind the bars: the labels of the axis and their lines, folded stretches, cancellations. */
function gridText({ axis, cancels }: Layout, labelsAt: number, from: number, to: number, width: number): string[] {
  const line = (x: number, style: string) => `<path d="M${round(x)} ${from}V${to}" ${style}/>`;
  return [
    ...axis.folds.map((fold) =>
      `<rect x="${round(fold.from)}" y="${from}" width="${round(fold.to - fold.from)}" height="${round(to - from)}" ` +
      `${fill("band")}><title>${formatDuration(fold.ms)}, folded</title></rect>`
    ),
    `<path d="M8 ${from}H${width - 8}" ${stroke("line")}/>`,
    ...axis.ticks.map(({ x, label, width }) =>
      (axis.kind === "folded" ? "" : line(x, stroke("line"))) +
      text(label, x, labelsAt, width, { size: SMALL, color: "muted", anchor: "middle" })
    ),
    ...axis.folds.flatMap((fold) => [fold.from, fold.to]).map((x) => line(x, foldLine())),
    ...cancels.map((x) => line(x, `stroke-dasharray="4 3" ${stroke("cancel")}`)),
  ];
}

const foldLine = () => `stroke-dasharray="1 3" ${stroke("muted")}`;

/** A row: its name, its bars and instants, and its summary. */
function rowText(row: Row, plotAt: number, { width, names, sums }: Columns): string {
  const { kind, label, bars, spots, laneHeight } = row;
  const sum = row.sums.find((sum) => pixelsOf(sum, SMALL) <= sums) ?? row.sums[row.sums.length - 1];
  const color = kind === "other" ? "muted" : kind in COLORS ? kind : "mark";
  const middle = plotAt + row.y + 13;
  return [
    text(label, MARGIN, middle + 4, names, { color: "text" }),
    ...bars.map((bar) => barText(bar, plotAt + row.top, laneHeight, color)),
    ...spots.map(({ x, title }) => {
      const place = `d="${kind === "cancel" ? CROSS : DIAMOND}" transform="translate(${round(x)} ${middle})"`;
      return `<path ${place} ${fill(kind === "cancel" ? "cancel" : "mark", "page")}>${titleText(title)}</path>`;
    }),
    text(sum, width - MARGIN, middle + 4, sums, { color: "muted", size: SMALL, anchor: "end" }),
  ].filter((part) => part !== "").join("\n");
}

function barText({ lane, parts, title }: Bar, top: number, laneHeight: number, color: string): string {
  const height = laneHeight - (laneHeight > 8 ? 3 : 1);
  const y = top + lane * laneHeight + (laneHeight - height) / 2;
  const rects = parts.map(({ from, to, look }) => {
    const width = Math.max(to - from - 0.6, 1); // a gap between this bar and the next one
    const box = (inset: number) => {
      const size = `width="${round(width - 2 * inset)}" height="${round(height - 2 * inset)}"`;
      return `x="${round(from + inset)}" y="${round(y + inset)}" ${size} rx="${width > 6 ? 2 : 1}"`;
    };
    switch (look) {
      case "retry": {
        const line = `d="M${round(from + 1)} ${round(y + height / 2)}H${round(to - 1)}" stroke-dasharray="2 3"`;
        return `<path ${line} stroke-width="1.5" ${stroke("retry")}/>`;
      }
      case "failed":
        return `<rect ${box(0.5)} fill="url(#rockpool-failed)" ${stroke("failed")}/>`;
      case "open":
        return `<rect ${box(0.5)} fill-opacity="0.35" ${fill(color, color)}/>`;
      case "canceled":
        return `<rect ${box(0.5)} fill-opacity="0.12" stroke-dasharray="3 2" ${fill(color, "cancel")}/>`;
      case "left":
        return `<rect ${box(0.5)} fill-opacity="0.1" stroke-dasharray="3 2" ${fill(color, color)}/>`;
      default:
        return `<rect ${box(0)} ${fill(color)}/>`;
    }
  });
  return `<g>${titleText(title)}${rects.join("")}</g>`;
}

/** The legend: the meaning of each look that the picture uses. */
function legendOf({ rows, axis }: Layout): [look: Look | "folded", meaning: string][] {
  const looks = new Set(rows.flatMap(({ bars }) => bars.flatMap(({ parts }) => parts.map(({ look }) => look))));
  const meanings: [Look, string][] = [
    ["failed", "failed"],
    ["retry", "delay before the next attempt"],
    ["open", "not over yet"],
    ["canceled", "canceled"],
    ["left", "end not recorded"],
  ];
  const folded = axis.folds.length > 0 ? [["folded", "time that is folded"] as const] : [];
  return [
    ...meanings.filter(([look]) => looks.has(look)),
    ...folded.map(([look, text]): [typeof look, string] => [look, text]),
  ];
}

function legendText(legend: readonly [Look | "folded", string][], y: number, { width }: Columns): Block {
  return flow(legend.map(([, content]) => ({ content })), y, width - MARGIN, (i, x, y) => {
    const [look, title] = legend[i];
    if (look === "folded") {
      return `<rect x="${round(x)}" y="${y - 1}" width="13" height="13" ${fill("band")}/>` +
        [x, x + 13].map((x) => `<path d="M${round(x)} ${y - 1}v13" ${foldLine()}/>`).join("");
    }
    return barText({ lane: 0, from: x, to: x + 13, title, parts: [{ from: x, to: x + 13, look }] }, y - 1, 14, "muted");
  });
}

/** The shapes of instants, drawn around their center. */
const DIAMOND = "M0 -6L6 0L0 6L-6 0Z";
const CROSS = "M-6 -4L-4 -6L0 -2L4 -6L6 -4L2 0L6 4L4 6L0 2L-4 6L-6 4L-2 0Z";
