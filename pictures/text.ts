/**
 * Lines of text in pictures: their width, names, numbers and times. Values and errors are shown by `util/show_value.ts`.
 *
 * A width is a number of terminal cells: a Latin letter takes one, an ideograph or an emoji two, a combining mark none.
 *
 * @module
 */

import { grouped, printable } from "../util/show_value.ts";

const WIDE =
  /[\p{Emoji_Presentation}\p{Regional_Indicator}\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1b000}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\u200b-\u200d]/u;

/** The number of cells of one character. */
export function cellsOf(char: string): number {
  if (char >= " " && char <= "\u02ff") return 1;
  if (NO_WIDTH.test(char)) return 0;
  return char === "\ufe0f" || !WIDE.test(char) ? 1 : 2;
}

/** The width of a line. */
export function widthOf(text: string, measure: (char: string) => number = cellsOf): number {
  let width = 0;
  for (const char of text) width += measure(char);
  return width;
}

/** Cuts a line to a width, with `…` at its end. */
export function fit(text: string, width: number, measure: (char: string) => number = cellsOf): string {
  if (widthOf(text, measure) <= width) return text;
  let kept = "";
  let left = width - measure("…");
  for (const char of text) {
    if ((left -= measure(char)) < 0) break;
    kept += char;
  }
  return `${kept.trimEnd()}…`;
}

/** Fills a line with spaces up to a width. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** Breaks a line at spaces, or within a word that is longer than a line. The last line is cut, with `…` at its end. */
export function wrap(text: string, width: number, maxLines: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (widthOf(rest) > width && lines.length + 1 < maxLines) {
    let [end, space, used] = [0, 0, 0];
    for (const char of rest) {
      if (char === " ") space = end;
      if ((used += cellsOf(char)) > width) break;
      end += char.length;
    }
    const cut = space || end;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, fit(rest, width)];
}

/** Makes a name printable. */
export function nameOf(name: string): string {
  return printable(name) || "(no name)";
}

/** `1 event`, `2,000 events`. */
export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Shows a time relative to another one: `+00:00:01.250`, `+30d 00:00:01.250`.
 *
 * @param ms The difference, in milliseconds. One that is not finite is shown as `?`.
 *
 * @category Pictures
 */
export function formatSince(ms: number): string {
  if (!Number.isFinite(ms)) return "?";
  const rest = Math.abs(Math.round(ms));
  const part = (unitMs: number, count: number, digits = 2) =>
    String(Math.floor(rest / unitMs) % count).padStart(digits, "0");
  const days = Math.floor(rest / 86_400_000);
  const clock = `${part(3_600_000, 24)}:${part(60_000, 60)}:${part(1000, 60)}.${part(1, 1000, 3)}`;
  return `${ms < 0 && rest > 0 ? "-" : "+"}${days > 0 ? `${days}d ` : ""}${clock}`;
}

/**
 * Shows a duration with its two largest units: `250 ms`, `1.5 s`, `20 min`, `30 d 2 h`.
 *
 * @param ms The duration, in milliseconds. One that is not finite is shown as `?`.
 *
 * @category Pictures
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "?";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 999.5) return `${ms < 10 ? Number(ms.toPrecision(2)) : Math.round(ms)} ms`;
  if (ms < 59_950) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    `${grouped(Math.floor(seconds / 86_400))} d`,
    `${Math.floor(seconds / 3600) % 24} h`,
    `${Math.floor(seconds / 60) % 60} min`,
    `${seconds % 60} s`,
  ];
  const first = parts.findIndex((part) => !part.startsWith("0"));
  return parts.slice(first, first + 2).filter((part) => !part.startsWith("0")).join(" ");
}
