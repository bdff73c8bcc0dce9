/**
 * Shows times, durations and errors as plain text.
 *
 * @module
 */

import type { ErrorRecord } from "@rockpool/workflow";

/** Shows a time that is counted from another one: `+00:00:01.250`, `+30d 00:00:01.250`. */
export function formatSince(ms: number): string {
  const rest = Math.abs(Math.round(ms));
  const part = (unitMs: number, count: number, digits = 2) =>
    String(Math.floor(rest / unitMs) % count).padStart(digits, "0");
  const days = Math.floor(rest / 86_400_000);
  const clock = `${part(3_600_000, 24)}:${part(60_000, 60)}:${part(1000, 60)}.${part(1, 1000, 3)}`;
  return `${ms < 0 ? "-" : "+"}${days > 0 ? `${days}d ` : ""}${clock}`;
}

/** Shows a duration with its two largest units: `250 ms`, `1.5 s`, `20 min`, `30 d 2 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    `${Math.floor(seconds / 86_400)} d`,
    `${Math.floor(seconds / 3600) % 24} h`,
    `${Math.floor(seconds / 60) % 60} min`,
    `${seconds % 60} s`,
  ];
  const first = parts.findIndex((part) => !part.startsWith("0"));
  return parts.slice(first, first + 2).filter((part) => !part.startsWith("0")).join(" ");
}

/** Shows an error on one line, with what it was caused by. */
export function formatError({ name, message, cause }: ErrorRecord): string {
  const text = message === "" ? name : `${name}: ${message}`;
  return printable(cause === undefined ? text : `${text}, caused by ${formatError(cause)}`);
}

/** One line, and nothing that moves a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
