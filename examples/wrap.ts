/**
 * Breaks text into lines.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { wrap } from "./wrap.ts";
 *
 * assertEquals(wrap("one two three", 8), ["one two", "three"]);
 * assertEquals(wrap("one two three", 8, 1), ["one two…"]);
 * ```
 *
 * @module
 */

/**
 * Breaks a text at its spaces, and within a word that is longer than a line.
 *
 * @param text The text, on one line.
 * @param width The maximum number of characters of a line, from 1.
 * @param maxLines The maximum number of lines, from 1. If text is cut off, the last line ends with `…`.
 */
export function wrap(text: string, width: number, maxLines: number = Infinity): string[] {
  const lines: string[] = [];
  let rest = [...text];
  while (rest.length > width && lines.length + 1 < maxLines) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end).join(""));
    rest = rest.slice(space > 0 ? end + 1 : end);
  }
  const last = rest.length <= width ? rest : [...rest.slice(0, width - 1), "…"];
  return [...lines, last.join("")];
}
