/**
 * Pictures of workflow runs: a text timeline, SVG and Mermaid. Pure functions of stored states.
 *
 * @module
 */

// Text
export { formatTimeline, type TimelineMark, type TimelineOptions } from "./timeline.ts";

// Drawings
export { type SvgOptions, toSvg } from "./svg.ts";
export { type MermaidOptions, toMermaid } from "./mermaid.ts";

// What they show
export type { PicturedRun } from "./spans.ts";
