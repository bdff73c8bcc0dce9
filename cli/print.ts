/**
 * Writes lines for people and for programs.
 *
 * 1. No text of a workflow reaches the terminal as an escape sequence: control characters, and those that change the direction of
 *    writing, are written as escapes. Colours are added afterwards.
 * 2. Without colours, a line is plain text.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { isStrayPromise } from "../util/deferred.ts";
import { widthOf } from "../pictures/text.ts";

/**
 * What the command line uses of its process.
 *
 * @category Command line
 */
export interface CliIo {
  /** Writes to the standard output. */
  readonly out: (text: string) => void;
  /** Writes to the standard error. */
  readonly error: (text: string) => void;
  /**
   * The width of the terminal, in columns.
   *
   * @default {no terminal: lines are not cut}
   */
  readonly columns?: number | undefined;
  /**
   * Whether to use colours.
   *
   * @default {false}
   */
  readonly color?: boolean | undefined;
  /**
   * Ends commands that wait: `watch` and `serve`.
   *
   * @default {they end by themselves, or never}
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The present, in milliseconds since the epoch.
   *
   * @default {the time of the system}
   */
  readonly now?: (() => number) | undefined;
}

const COLORS = { red: 31, green: 32, yellow: 33, blue: 34, dim: 2, bold: 1 } as const;

/** A text with a colour. */
export interface Painted {
  readonly text: string;
  readonly color: keyof typeof COLORS;
}

/** A part of a line. */
export type Part = string | Painted;

/** Control characters, those without a width, and those that change the direction of writing. */
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** Escapes what a terminal could obey. A line break is kept only if `lines` is true. */
export function safe(text: string, lines = false): string {
  return text.replace(UNSAFE, (char) => {
    return lines && char === "\n" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** JSON on one line, whose texts are safe too. */
export function safeJson(value: unknown): string {
  return safe(JSON.stringify(value));
}

export class Printer {
  readonly io: CliIo;

  constructor(io: CliIo) {
    this.io = io;
  }

  /** The present. */
  now(): number {
    const time: unknown = this.io.now?.();
    return !isStrayPromise(time) && Number.isFinite(time) ? time as number : systemClock.now();
  }

  /** Writes a line. */
  line(...parts: readonly Part[]): void {
    this.out(`${this.#paint(parts)}\n`);
  }

  /** Writes a text as it is. */
  out(text: string): void {
    isStrayPromise(this.io.out(text));
  }

  /** Writes a text of several lines. */
  text(text: string): void {
    this.out(`${safe(text.replace(/\n$/, ""), true)}\n`);
  }

  /** Writes a line to the standard error. */
  error(...parts: readonly Part[]): void {
    isStrayPromise(this.io.error(`${this.#paint(parts)}\n`));
  }

  /** Writes a table. The last column is cut to the width of the terminal. */
  table(head: readonly string[], rows: readonly (readonly Part[])[]): void {
    const { columns = Infinity } = this.io;
    const cells = [head.map((text): Part => ({ text, color: "dim" })), ...rows]
      .map((row) => row.map((part) => typeof part === "string" ? safe(part) : { ...part, text: safe(part.text) }));
    const widthOfCell = (part: Part) => widthOf(typeof part === "string" ? part : part.text);
    const last = head.length - 1;
    const widths = head.map((_, i) => cells.reduce((most, row) => Math.max(most, widthOfCell(row[i])), 0));
    // The widest of the other columns give way if the last one would have less than a quarter of the line.
    const wanted = Math.min(widths[last], Math.floor(columns / 4));
    for (;;) {
      const used = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
      const widest = Math.max(...widths.slice(0, last));
      if (used + wanted <= columns || widest <= 8) break;
      widths[widths.indexOf(widest)] = widest - 1;
    }
    const used = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
    widths[last] = Math.max(0, Math.min(widths[last], columns - used));
    for (const row of cells) {
      const parts = row.map((part, i): Part => {
        const cut = cutTo(typeof part === "string" ? part : part.text, widths[i]);
        const text = i === last ? cut : cut + " ".repeat(Math.max(0, widths[i] - widthOf(cut)) + 2);
        return typeof part === "string" ? text : { ...part, text };
      });
      this.out(`${this.#paint(parts).trimEnd()}\n`);
    }
  }

  #paint(parts: readonly Part[]): string {
    return parts.map((part) => {
      if (typeof part === "string") return safe(part);
      const text = safe(part.text);
      return this.io.color === true ? `\x1b[${COLORS[part.color]}m${text}\x1b[0m` : text;
    }).join("");
  }
}

function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  for (const char of text) {
    if (widthOf(kept + char) > width - 1) break;
    kept += char;
  }
  return width < 1 ? "" : `${kept.trimEnd()}…`;
}
