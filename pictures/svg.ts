/**
 * A stored run as an SVG picture: what ran when, attempt by attempt, and where the time went.
 *
 * 1. The picture is self-contained: no script, no link, no embedded font. It has colors for light pages, and for dark pages
 *    where the reader prefers them. Color is never the only sign of something.
 * 2. No text leaves its box, and no boxes of text overlap: widths are estimated from above. A text that is too long is cut,
 *    and its tooltip has the whole text.
 * 3. Height and size are bounded, whatever the history is: see {@linkcode layOut}.
 *
 * @module
 */

import { checkChoice, checkOptions } from "../util/check.ts";
import { printable, showError } from "../util/show_value.ts";
import { type Bar, layOut, type Look, type Row } from "./layout.ts";
import { describeStatus, type PicturedRun, type ReadOptions, type ReadRun } from "./model.ts";
import { checkReadOptions, READ_OPTIONS, readRun } from "./read.ts";
import { type Share, sharesOf } from "./shares.ts";
import { cellsOf, fit, formatDuration, plural, widthOf } from "./text.ts";

/**
 * Options of {@linkcode toSvg}.
 *
 * @category Pictures
 */
export interface SvgOptions extends ReadOptions {
  /**
   * What the horizontal axis shows: the time, or the events one after the other. With `"events"`, things that happened in the
   * same millisecond are apart; on a virtual clock that is nearly everything.
   *
   * @default {"time", or "events" if no time passed}
   */
  readonly axis?: "time" | "events" | undefined;
}

const WIDTH = 960;
const MARGIN = 16;
/** The left and the right end of the plot. The names are on its left, the summaries on its right. */
const PLOT_FROM = 232;
const PLOT_TO = 704;
const SUM_FROM = 716;
const HEAD = 60;
/** The width of one part of a legend. */
const SLOT = 232;
const MIN_ROW = 22;
const TICK_WIDTH = 80;
const MAX_TITLE = 300;
const FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const TEXT_SIZE = 11;

/** The colors for light and for dark pages. */
const COLORS: Record<string, readonly [light: string, dark: string]> = {
  page: ["#ffffff", "#14171c"],
  text: ["#1b1f24", "#e6e9ee"],
  muted: ["#5b6470", "#9aa4b2"],
  line: ["#e3e6ea", "#2a3038"],
  band: ["#f6f7f9", "#1a1e25"],
  activity: ["#2563c9", "#6ba1f5"],
  child: ["#7a3fc0", "#b48cf0"],
  update: ["#0f7f78", "#4cc4bb"],
  timer: ["#a9b2be", "#4d5765"],
  signal: ["#9a5b00", "#f0b35a"],
  condition: ["#7d8796", "#78828f"],
  scope: ["#a9b2be", "#4d5765"],
  delay: ["#cdb892", "#7a6a48"],
  slot: ["#cdb892", "#7a6a48"],
  compensation: ["#a65b00", "#e9a24a"],
  mark: ["#9a5b00", "#f0b35a"],
  cancel: ["#b3261e", "#ff8a80"],
  failed: ["#b3261e", "#ff8a80"],
  retry: ["#5b6470", "#9aa4b2"],
  other: ["#e3e6ea", "#363e49"],
};
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
 * @param run The stored state of the run, or the parts of it that a picture needs.
 * @param options All are optional.
 * @returns The text of an SVG file, 960 pixels wide.
 * @throws {TypeError} If an option is unknown, or `axis` is neither `"time"` nor `"events"`.
 *
 * @example
 * ```ts
 * import { toSvg } from "@rockpool/workflow/pictures";
 * import { assert } from "@std/assert";
 *
 * const history = [{ type: "workflow_started", at: 0, workflowName: "order" } as const];
 * const svg = toSvg({ workflowId: "a", workflowName: "order", status: "running", history });
 * assert(svg.startsWith("<svg "));
 * ```
 *
 * @category Pictures
 */
export function toSvg(run: PicturedRun, options: SvgOptions = {}): string {
  checkOptions(options, { ...READ_OPTIONS, axis: true }, "draw workflow", run.workflowId);
  checkReadOptions(options, "draw workflow", run.workflowId);
  checkChoice("axis", options.axis, ["time", "events"], "draw workflow", run.workflowId);
  const { now, waitsFor } = options;
  const read = readRun(run, { now, waitsFor });
  const layout = layOut(read, options.axis, PLOT_FROM, PLOT_TO);
  const { rows, ticks } = layout;
  const shares = sharesOf(read);
  const legend = legendOf(rows);
  const sharesHeight = shares.length === 0 ? 0 : shares.length > 4 ? 64 : 48;
  const axisAt = HEAD + sharesHeight + 14;
  const plotAt = axisAt + 8;
  const plotTo = plotAt + layout.height;
  const height = plotTo + (legend.length === 0 ? 0 : 20) + 24;
  const root = [
    `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    `role="img" class="rockpool" font-size="${TEXT_SIZE}" font-family="${FONTS}"`,
  ];
  const pattern = `id="rockpool-failed" width="4" height="4" patternUnits="userSpaceOnUse"`;
  return [
    `<svg ${root.join(" ")}>`,
    `<title>${escape(`${read.name} ${read.id}: ${describeStatus(read)}`)}</title>`,
    styleText(),
    `<defs><pattern ${pattern} patternTransform="rotate(45)">`,
    `<rect width="4" height="4" ${fill("page")}/><rect width="2" height="4" ${fill("failed")}/></pattern></defs>`,
    `<rect width="${WIDTH}" height="${height}" ${fill("page")}/>`,
    ...headOf(read),
    ...sharesText(shares, read),
    ...rows.filter((_, i) => i % 2 === 0).map(({ y, height }) =>
      `<rect x="8" y="${plotAt + y}" width="${WIDTH - 16}" height="${height}" ${fill("band")}/>`
    ),
    ...ticks.map(({ x, label }) =>
      `<path d="M${round(x)} ${plotAt - 3}V${plotTo}" ${stroke("line")}/>` +
      text(label, x, axisAt, TICK_WIDTH, { size: 10, color: "muted", anchor: "middle" })
    ),
    ...layout.cancels.map((x) =>
      `<path d="M${round(x)} ${plotAt}V${plotTo}" stroke-dasharray="4 3" ${stroke("cancel")}/>`
    ),
    ...rows.map((row) => rowText(row, plotAt)),
    ...legendText(legend, plotTo + 22),
    "</svg>",
  ].join("\n");
}

function headOf(run: ReadRun): string[] {
  const width = WIDTH - 2 * MARGIN;
  const status = describeStatus(run) + (run.error ? `: ${showError(run.error)}` : "");
  const facts = `${plural(run.history.length, "event")}, ID ${run.id}`;
  const factsWidth = Math.min(widthOf(facts, emsOf) * TEXT_SIZE + 1, width / 3);
  return [
    text(run.name, MARGIN, 26, width, { size: 15, weight: "bold" }),
    text(status, MARGIN, 44, width - factsWidth - 24, { color: run.error ? "failed" : "text" }),
    text(facts, WIDTH - MARGIN, 44, factsWidth, { color: "muted", anchor: "end" }),
  ];
}

/** A bar that is divided into the shares of the time, and the names of the shares below it. */
function sharesText(shares: readonly Share[], { from, to }: ReadRun): string[] {
  const width = WIDTH - 2 * MARGIN;
  const total = to - from;
  let x = MARGIN;
  const bars = shares.map(({ what, ms }) => {
    const part = ms / total * width;
    const bar = `<rect x="${round(x)}" y="${HEAD}" width="${round(Math.max(part - 1, 1))}" height="10" ${
      fill(SHARE_COLORS[what])
    }><title>${what} ${formatDuration(ms)}</title></rect>`;
    x = Math.min(x + part, WIDTH - MARGIN - 1);
    return bar;
  });
  const labels = shares.map(({ what, ms, percent }, i) => {
    const label = `${what} ${formatDuration(ms)}${percent === "" ? "" : ` · ${percent}`}`;
    const [at, y] = [MARGIN + i % 4 * SLOT, HEAD + 20 + 16 * Math.floor(i / 4)];
    return swatch(at, y, SHARE_COLORS[what]) + text(label, at + 14, y + 9, SLOT - 22, { size: 10 });
  });
  return [...bars, ...labels];
}

/** A row: its name, its bars and marks, and its summary. */
function rowText(row: Row, plotAt: number): string {
  const { kind, label, sum, bars, spots, laneHeight } = row;
  const color = kind === "other" ? "muted" : kind in COLORS ? kind : "mark";
  const middle = plotAt + row.y + MIN_ROW / 2;
  const marks = spots.map(({ x, title }) => {
    const place = `d="${SHAPES[kind] ?? SHAPES.effect}" transform="translate(${round(x)} ${middle})"`;
    return `<path ${place} ${fill(color)}>${titleText(title)}</path>`;
  });
  return [
    text(label, MARGIN, middle + 4, PLOT_FROM - MARGIN - 12, { color: kind === "activity" ? "text" : "muted" }),
    ...bars.map((bar) => barText(bar, plotAt + row.top, laneHeight, color)),
    ...marks,
    text(sum, SUM_FROM, middle + 4, WIDTH - MARGIN - SUM_FROM, { color: "muted", size: 10 }),
  ].filter((part) => part !== "").join("\n");
}

function barText({ lane, parts, title }: Bar, top: number, laneHeight: number, color: string): string {
  const height = laneHeight - (laneHeight > 8 ? 3 : 1);
  const y = top + lane * laneHeight + (laneHeight - height) / 2;
  const rects = parts.map(({ from, to, look }) => {
    const width = Math.max(to - from - 0.6, 1); // a gap between this bar and the next one
    const box = (inset: number) => {
      const size = `width="${round(width - 2 * inset)}" height="${round(height - 2 * inset)}"`;
      return `x="${round(from + inset)}" y="${round(y + inset)}" ${size}`;
    };
    switch (look) {
      case "retry": {
        const line = `d="M${round(from)} ${round(y + height / 2)}H${round(to)}" stroke-dasharray="2 2"`;
        return `<path ${line} ${stroke("retry")}/>`;
      }
      case "failed":
        return `<rect ${box(0.5)} fill="url(#rockpool-failed)" ${stroke("failed")}/>`;
      case "open":
        return `<rect ${box(0.5)} fill-opacity="0.4" stroke-dasharray="4 2" ${fill(color, color)}/>`;
      case "left":
      case "canceled":
        return `<rect ${box(0.5)} fill="none" ${stroke(color)}/>`;
      default:
        return `<rect ${box(0)} ${fill(color)}/>`;
    }
  });
  return `<g>${titleText(title)}${rects.join("")}</g>`;
}

/** The legend: the meaning of each look that the picture uses. */
function legendOf(rows: readonly Row[]): [look: Look, meaning: string][] {
  const looks = new Set(rows.flatMap(({ bars }) => bars.flatMap(({ parts }) => parts.map(({ look }) => look))));
  const meanings: [Look, string][] = [
    ["failed", "failed"],
    ["retry", "delay before the next attempt"],
    ["open", "not over yet"],
    ["canceled", "canceled"],
    ["left", "never ended"],
  ];
  return meanings.filter(([look]) => looks.has(look));
}

function legendText(legend: readonly [Look, string][], y: number): string[] {
  return legend.map(([look, meaning], i) => {
    const x = MARGIN + i * SLOT;
    const bar = { lane: 0, from: x, to: x + 18, title: meaning, parts: [{ from: x, to: x + 18, look }] };
    return barText(bar, y - 10, 12, "muted") + text(meaning, x + 24, y, SLOT - 32, { size: 10, color: "muted" });
  });
}

/** The shapes of marks, drawn around their center. Each kind has its own shape. */
const SHAPES: Partial<Record<Row["kind"], string>> = {
  signal: "M-5 -5H5L0 5Z",
  effect: "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z",
  patch: "M0 -5L5 0L0 5L-5 0Z",
  cancel: "M-5 -3L-3 -5L0 -2L3 -5L5 -3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z",
};

function swatch(x: number, y: number, color: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="9" height="9" ${fill(color)}/>`;
}

interface TextStyle {
  readonly size?: number;
  readonly color?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "bold";
}

/** A text that is cut to a width in pixels. If it is cut, its tooltip has the whole text. */
function text(content: string, x: number, y: number, width: number, style: TextStyle = {}): string {
  const { size = TEXT_SIZE, color = "text", anchor, weight } = style;
  const short = fit(content, width / size, emsOf);
  if (short === "") return "";
  const attributes = [
    `x="${round(x)}" y="${round(y)}"`,
    ...(size === TEXT_SIZE ? [] : [`font-size="${size}"`]),
    ...(anchor ? [`text-anchor="${anchor}"`] : []),
    ...(weight ? [`font-weight="${weight}"`] : []),
    fill(color),
  ];
  const tooltip = short === content ? "" : titleText(content);
  return `<text ${attributes.join(" ")}>${tooltip}${escape(short)}</text>`;
}

function titleText(content: string): string {
  return `<title>${escape(fit(content, MAX_TITLE))}</title>`;
}

/** The maximum width of a character in units of the font size. A character that monospaced fonts lack is wider. */
function emsOf(char: string): number {
  const cells = cellsOf(char);
  return cells === 1 && char > "\u04ff" && char !== "…" && char !== "×" ? 1.1 : cells * 0.64;
}

function fill(color: string, border?: string): string {
  const names = border ? `f-${color} s-${border}` : `f-${color}`;
  return `class="${names}" fill="${COLORS[color][0]}"${border ? ` stroke="${COLORS[border][0]}"` : ""}`;
}

function stroke(color: string): string {
  return `class="s-${color}" stroke="${COLORS[color][0]}"`;
}

/** The rules for dark pages. The attributes of the elements have the light colors, which every viewer understands. */
function styleText(): string {
  const rules = Object.entries(COLORS).map(([name, [, dark]]) =>
    `.rockpool .f-${name}{fill:${dark}}.rockpool .s-${name}{stroke:${dark}}`
  );
  return `<style>@media (prefers-color-scheme: dark){${rules.join("")}}</style>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
