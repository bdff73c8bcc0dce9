/**
 * Pictures of workflow runs: a text timeline, SVG and Mermaid. Pure functions of stored states.
 *
 * @module
 */

// Text
export { formatTimeline, type TimelineOptions } from "./timeline.ts";

// Drawings
export { type SvgOptions, toSvg } from "./svg.ts";
export { type MermaidOptions, toMermaid } from "./mermaid.ts";

// What they show
export { readRun } from "./read.ts";
export { describeStatus, isSpan, isWait, labelOf, phasesOf } from "./model.ts";
export type {
  Attempt,
  Instant,
  InstantKind,
  OpenWait,
  Phase,
  PicturedRun,
  Point,
  ReadOptions,
  ReadRun,
  Span,
  SpanKind,
  SpanOutcome,
  TimelineMark,
} from "./model.ts";
export { type Share, type ShareKind, sharesOf } from "./shares.ts";

// In words
export { describeWait, describeWaits } from "./waits.ts";
export { formatDuration, formatSince } from "./text.ts";
