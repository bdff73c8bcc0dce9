/**
 * Times and durations on pages.
 *
 * @module
 */

import { formatDuration, formatSince } from "../pictures/mod.ts";
import { type Html, markup } from "./html.ts";

/** A duration with its two largest units: `1.5 s`, `6 d 23 h`. */
export function duration(ms: number): string {
  return Number.isFinite(ms) ? formatDuration(Math.max(0, ms)) : "?";
}

/** A time since the start of a run: `+00:00:01.250`. */
export function since(ms: number): string {
  return Number.isFinite(ms) ? formatSince(ms) : "?";
}

/** A time as it is read: `2026-11-26 14:02:10.797 UTC`. */
export function timeText(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  return `${date.toISOString().slice(0, -1).replace("T", " ").replace(/\.000$/, "")} UTC`;
}

/** A time, with the exact one for machines and as a tooltip. */
export function time(at: number, text: string = timeText(at)): Html {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return markup`${text}`;
  return markup`<time datetime="${date.toISOString()}" title="${timeText(at)}">${text}</time>`;
}
