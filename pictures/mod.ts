/**
 * Pictures of workflow runs: a text timeline, SVG and Mermaid. Pure functions of stored states.
 *
 * @module
 */

export { type MermaidOptions, toMermaid } from "./mermaid.ts";
export { type SvgOptions, toSvg } from "./svg.ts";
export { formatTimeline, type PicturedRun, type TimelineMark, type TimelineOptions } from "./timeline.ts";
