/**
 * The elements of SVG pictures: texts that fit their boxes, colors for light and dark pages, and what is safe in XML.
 *
 * The widths of texts are estimated from above, for the widest of the usual fonts without serifs.
 *
 * @module
 */

import { printable } from "../util/show_value.ts";
import { cellsOf, fit, widthOf } from "./text.ts";

const FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";
const TEXT_SIZE = 12;
export const SMALL = 11;
const MAX_TITLE = 300;

/** The colors for light and for dark pages. */
export const COLORS: Record<string, readonly [light: string, dark: string]> = {
  page: ["#ffffff", "#0f1318"],
  text: ["#1b1f24", "#e6e9ee"],
  muted: ["#5b6470", "#9aa4b2"],
  line: ["#dfe3e8", "#2a3038"],
  band: ["#f5f7f9", "#171c23"],
  activity: ["#3b74d9", "#6ba1f5"],
  child: ["#8250d0", "#b48cf0"],
  update: ["#0f7f78", "#4cc4bb"],
  timer: ["#b0b8c4", "#566172"],
  signal: ["#dba646", "#a8792f"],
  condition: ["#96a0ae", "#6b7686"],
  scope: ["#b0b8c4", "#566172"],
  delay: ["#cdb892", "#7a6a48"],
  slot: ["#cdb892", "#7a6a48"],
  compensation: ["#c27412", "#e39a3f"],
  mark: ["#a85d00", "#eeb054"],
  cancel: ["#c0271e", "#ff8a80"],
  failed: ["#c0271e", "#ff8a80"],
  completed: ["#12784b", "#3fc586"],
  canceled: ["#8a5a00", "#e0ad55"],
  running: ["#1769c7", "#64a8ff"],
  retry: ["#7b8592", "#8a94a3"],
  other: ["#e3e6ea", "#363e49"],
};

/** A picture: its parts on a page of a size. */
export function svgText(width: number, height: number, title: string, parts: readonly string[]): string {
  const pattern = `id="rockpool-failed" width="5" height="5" patternUnits="userSpaceOnUse"`;
  const body = [
    `<defs><pattern ${pattern} patternTransform="rotate(45)">`,
    `<rect width="5" height="5" ${fill("page")}/><rect width="2.5" height="5" ${fill("failed")}/></pattern></defs>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" ${fill("page", "line")}/>`,
    ...parts.filter((part) => part !== ""),
  ].join("\n");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" class="rockpool" font-size="${TEXT_SIZE}" font-family="${FONTS}">`,
    `<title>${escape(title)}</title>`,
    styleText(body),
    body,
    "</svg>",
  ].join("\n");
}

/** The rules for dark pages. The attributes of the elements have the light colors, which every viewer understands. */
function styleText(body: string): string {
  const classes = new Set(
    Array.from(body.matchAll(/ class="([fs]-\w+)(?: (s-\w+))?"/g), ([, ...names]) => names).flat(),
  );
  const rules = Object.entries(COLORS).flatMap(([name, [, dark]]) => [
    classes.has(`f-${name}`) ? `.rockpool .f-${name}{fill:${dark}}` : "",
    classes.has(`s-${name}`) ? `.rockpool .s-${name}{stroke:${dark}}` : "",
  ]);
  return `<style>@media (prefers-color-scheme: dark){${rules.join("")}}</style>`;
}

export interface TextStyle {
  readonly size?: number;
  readonly color?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "bold";
}

/** A text that is cut to a width in pixels. If it is cut, its tooltip has the whole text. */
export function text(content: string, x: number, y: number, width: number, style: TextStyle = {}): string {
  const { size = TEXT_SIZE, color = "text", anchor, weight } = style;
  const short = fit(content, width / size, measure(weight));
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

/** The width of a text in pixels. */
export function pixelsOf(content: string, size = TEXT_SIZE, weight?: "bold"): number {
  return widthOf(content, measure(weight)) * size;
}

/** The margin of a picture on both sides. */
export const MARGIN = 20;
/** The height of a line of small text. */
export const LINE = 18;

/** The columns of a picture: names, the plot, summaries. */
export interface Columns {
  readonly width: number;
  readonly names: number;
  readonly plotFrom: number;
  readonly plotTo: number;
  readonly sums: number;
}

/** Elements, and where they end. */
export interface Block {
  readonly parts: readonly string[];
  readonly to: number;
}

/** Labels one after the other, in as many lines as they need. */
export function flow(
  labels: readonly { readonly content: string; readonly color?: string }[],
  y: number,
  right: number,
  sign: (i: number, x: number, y: number) => string,
): Block {
  let [x, line] = [MARGIN, y];
  const parts = labels.flatMap(({ content, color }, i) => {
    const width = Math.min(pixelsOf(content, SMALL) + 1, right - MARGIN - 18);
    if (x > MARGIN && x + 18 + width > right) [x, line] = [MARGIN, line + LINE];
    const part = [sign(i, x, line), text(content, x + 18, line + 9, width, { size: SMALL, color: color ?? "muted" })];
    x += 18 + width + 14;
    return part;
  });
  return { parts, to: labels.length === 0 ? y : line + LINE };
}

/** A tooltip. */
export function titleText(content: string): string {
  return `<title>${escape(fit(content, MAX_TITLE))}</title>`;
}

/** The widths of the characters from U+0020 to U+007E in twentieths of the font size, in base 36, rounded up. */
const WIDTHS = "79ahdjg688ah7877dddddddddd77hhhbkeeegdcgg66ecifgdgeddfekede878haaddbdd8dd66c6kdddd9b8dchccbd7dh";
const BOLD_WIDTHS = "7abheli7aabh8988eeeeeeeeee88hhhckggfheehh88gdkhhfhgfehgngffa8ahaaefcfe9ff77e7lfeffacafejdecf8fh";

/** The maximum width of a character in units of the font size. A character that usual fonts lack is wider. */
const emsOf = (widths: string, others: number) => (char: string): number => {
  if (char >= " " && char <= "~") return parseInt(widths[char.charCodeAt(0) - 32], 36) / 20;
  const cells = cellsOf(char);
  if (cells !== 1) return cells * 0.65;
  return others * (char === "·" ? 0.4 : char <= "\u00ff" || char === "…" ? 1 : 1.2);
};

const measure = (weight: "bold" | undefined) => weight ? emsOf(BOLD_WIDTHS, 1.12) : emsOf(WIDTHS, 1);

/** The class and the attributes of a color, and of the color of the border. */
export function fill(color: string, border?: string): string {
  const names = border ? `f-${color} s-${border}` : `f-${color}`;
  return `class="${names}" fill="${COLORS[color][0]}"${border ? ` stroke="${COLORS[border][0]}"` : ""}`;
}

export function stroke(color: string): string {
  return `class="s-${color}" stroke="${COLORS[color][0]}"`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A text as XML, without the characters that XML cannot have. */
export function escape(text: string): string {
  const flat = printable(text).replace(/(\p{M}{2})\p{M}+/gu, "$1"); // many marks on a letter cover the lines above
  return flat.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
