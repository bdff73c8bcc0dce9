/**
 * The timeline of a run: a lane for everything that took time or happened, as SVG whose places are percentages, so that it fits
 * every width without a style of its own.
 *
 * @module
 */

import { type Instant, isSpan, labelOf, phasesOf, sharesOf, type Span } from "../pictures/mod.ts";
import { grouped, showError, showValue } from "../util/show_value.ts";
import { type LaidAxis, layAxis } from "./axis.ts";
import type { Events } from "./events.ts";
import { type Content, Html, markup } from "./html.ts";
import { icon } from "./layout.ts";
import type { Axis, RunView } from "./run_view.ts";
import { shareLegend } from "./shares.ts";
import { duration, since } from "./times.ts";

/** With more, those of one name share a lane. */
const MAX_SINGLE = 40;
const MAX_LANES = 60;
/** The least width of a bar. */
const MIN_BAR = 0.5;
/** What is closer than this in one lane is drawn as one bar or mark. */
const MIN_GAP = 0.3;

type Thing = Span | Instant;

/** One lane: one thing, or all of one kind and name. */
interface Lane {
  readonly label: string;
  readonly hint: string;
  readonly things: readonly Thing[];
}

const AXES: readonly (readonly [axis: Axis, text: string])[] = [["folded", "Idle folded"], ["time", "Time"], [
  "events",
  "Events",
]];

/** Draws the timeline, with the controls of the axis and of the time travel. */
export function timelineCard(events: Events, view: RunView): Html {
  const { run } = events;
  const axis = layAxis(run, view.axis);
  const lanes = lanesOf(events, view.id);
  const shown = lanes.slice(0, MAX_LANES);
  const chosen = view.event === undefined ? undefined : run.owners[view.event - 1];
  return markup`<section class="card timeline"><header><h2>Timeline</h2><nav class="switch" aria-label="Axis">${
    AXES.map(([name, text]) =>
      markup`<a href="${view.link({ axis: name })}"${name === axis.kind && markup` aria-current="true"`}>${text}</a>`
    )
  }</nav>${travelControls(view)}</header>
${shareLegend(sharesOf(run))}
<div class="plot"><svg class="ticks" aria-hidden="true" height="20">${
    axis.ticks.map(({ x, label }, i) => {
      const anchor = x < 4 ? "start" : x > 92 ? "end" : "middle";
      return markup`<text${i % 2 === 1 && markup` class="wide"`} x="${
        place(x)
      }" y="13" text-anchor="${anchor}">${label}</text>`;
    })
  }</svg><svg class="grid" aria-hidden="true">${axis.ticks.map(({ x }) => line(x, "tick"))}${
    axis.folds.flatMap((fold) => fold.map((x) => line(x, "fold")))
  }</svg><ol>${shown.map((lane) => laneItem(lane, axis, events, view, chosen))}${
    lanes.length > MAX_LANES &&
    markup`<li class="dim">… ${grouped(lanes.length - MAX_LANES)} more lanes: see the history</li>`
  }</ol>
${lanes.length === 0 && markup`<p class="dim">Nothing took time.</p>`}</div></section>`;
}

/** The slider. Without the script its button sends it. */
function travelControls(view: RunView): Html {
  const at = view.at ?? view.length;
  const step = (to: number, name: string, text: string) =>
    to < 1 || to > view.length
      ? markup`<span class="button square" aria-disabled="true">${icon(name)}</span>`
      : markup`<a class="button square" aria-label="${text}" href="${travelLink(view, to)}">${icon(name)}</a>`;
  const kept = new URLSearchParams(view.link({ at: undefined, e: undefined, page: undefined }));
  return markup`<form class="travel" aria-label="Time travel">${
    [...kept].map(([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`)
  }${step(at - 1, "left", "One event earlier")}<input type="range" name="at" min="1" max="${view.length}" value="${at}"
 aria-label="As of event" data-slider><button class="button" data-go>Go</button>${
    step(at + 1, "right", "One event later")
  }<output>${grouped(at)} / ${grouped(view.length)}</output></form>`;
}

/** The address of the run as it was after some events. */
export function travelLink(view: RunView, at: number): string {
  return view.link({ at: at >= view.length ? undefined : at, e: undefined, page: undefined });
}

function lanesOf(events: Events, id: string): Lane[] {
  const { things } = events.run;
  if (things.length <= MAX_SINGLE) {
    return things.map((thing) => ({ label: labelOf(thing), hint: hintOf(thing, events, id), things: [thing] }));
  }
  const lanes = new Map<string, { label: string; hint: string; things: Thing[] }>();
  for (const thing of things) {
    const key = `${thing.kind} ${labelOf(thing)}`;
    const lane = lanes.get(key);
    if (lane) lane.things.push(thing);
    else lanes.set(key, { label: labelOf(thing), hint: "", things: [thing] });
  }
  return [...lanes.values()].map((lane) => ({
    ...lane,
    hint: lane.things.length === 1 ? "" : `×${grouped(lane.things.length)}`,
  }));
}

/** What tells a thing from others of its name: a child's ID, or a short input. */
function hintOf(thing: Thing, events: Events, id: string): string {
  const event = events.history[thing.from.index];
  if (event?.type === "child_started") return shortId(event.workflowId, id);
  if (event?.type !== "activity_started" || typeof event.input === "object" || event.input === undefined) return "";
  const text = showValue(event.input);
  return text.length > 22 ? "" : text;
}

/** The ID of a child without that of its parent in front. */
export function shortId(id: string, parentId: string): string {
  if (id.startsWith(parentId) && id !== parentId) return `…${id.slice(parentId.length)}`;
  return id.length > 22 ? `…${id.slice(-20)}` : id;
}

function laneItem(
  { label, hint, things }: Lane,
  axis: LaidAxis,
  events: Events,
  view: RunView,
  chosen: Thing | undefined,
): Html {
  const [first] = things;
  const attempts = things.length === 1 && isSpan(first) && first.attempts.length > 1
    ? markup` <small>${first.attempts.length} attempts</small>`
    : "";
  const bars = things.length > 1
    ? merged(things, axis)
    : isSpan(first)
    ? bar(first, axis)
    : markSvg(axis.x(first.from));
  const isChosen = chosen !== undefined && things.includes(chosen);
  const code = hint !== "" && markup`<code>${hint}</code>`;
  // What tells children apart comes first: a narrow window cuts the rest.
  const text = first.kind === "child" && things.length === 1 ? markup`${code} ${label}` : markup`${label} ${code}`;
  return markup`<li${isChosen && markup` class="chosen"`}><a class="label" href="${
    eventLink(view, first)
  }">${text}${attempts}</a><svg class="lane k-${first.kind}" height="26" role="img" aria-label="${
    titleOf(things, events)
  }"><title>${titleOf(things, events)}</title>${bars}</svg><span class="sum">${sumOf(things, events)}</span></li>
`;
}

function eventLink(view: RunView, { from }: Thing): string {
  return `${view.link({ e: from.index + 1, page: undefined })}#e${from.index + 1}`;
}

const BAR = /* @__PURE__ */ new Html(`y="6" height="14" rx="2"`);

/** A bar with its attempts, and the delays between them. */
function bar(span: Span, axis: LaidAxis): Html {
  const end = endOf(span, axis);
  let before = axis.x(span.from);
  const parts = phasesOf(span).map(({ to, outcome }, i, all) => {
    const from = before;
    before = i === all.length - 1 ? end : Math.min(100, Math.max(from + MIN_BAR, axis.x(to)));
    return outcome === "retry" ? delay(from, before) : rect(from, before, span.kind, outcome);
  });
  return markup`${parts}`;
}

/** Where a span ends. By events, what is open goes on to the end of the axis. */
function endOf(span: Span, axis: LaidAxis): number {
  return span.outcome === "open" && axis.kind === "events" ? 100 : axis.x(span.to);
}

/** The bars and marks of many things; those that touch are one. */
function merged(things: readonly Thing[], axis: LaidAxis): Html {
  const groups: { from: number; to: number; isOpen: boolean; things: Thing[] }[] = [];
  for (const thing of things) {
    const from = axis.x(thing.from);
    const isOpen = isSpan(thing) && thing.outcome === "open";
    const until = isSpan(thing) ? endOf(thing, axis) : from;
    const group = groups[groups.length - 1];
    if (group && isSpan(thing) === isSpan(group.things[0]) && from <= group.to + MIN_GAP && isOpen === group.isOpen) {
      group.to = Math.max(group.to, until);
      group.things.push(thing);
    } else groups.push({ from, to: until, isOpen, things: [thing] });
  }
  return markup`${
    groups.map(({ from, to, isOpen, things }) => {
      const [first] = things;
      if (!isSpan(first)) return markSvg(from);
      const failed = things.some((thing) => isSpan(thing) && thing.outcome === "failed");
      const look = failed ? "failed" : things.length === 1 || isOpen ? first.outcome : "done";
      return rect(from, to, first.kind, look);
    })
  }`;
}

function rect(from: number, to: number, kind: Span["kind"], look: Span["outcome"]): Html {
  const width = Math.max(MIN_BAR, to - from);
  const x = Math.min(from, 100 - width);
  const box = markup`x="${place(x)}" width="${place(width)}" ${BAR}`;
  if (look === "failed") return markup`<rect class="failed" fill="url(#failed)" ${box}/>`;
  return markup`<rect class="f-${kind} ${look}" ${box}/>`;
}

function delay(from: number, to: number): Html {
  return markup`<line class="delay" x1="${place(from)}" x2="${place(to)}" y1="13" y2="13"/>`;
}

function markSvg(x: number): Html {
  return markup`<svg x="${place(x)}" y="13" overflow="visible"><path class="mark" d="M0-5L5 0L0 5L-5 0Z"/></svg>`;
}

function line(x: number, name: string): Html {
  return markup`<line class="${name}" x1="${place(x)}" x2="${place(x)}" y1="0" y2="100%"/>`;
}

function place(x: number): string {
  return `${Math.round(x * 100) / 100}%`;
}

/** The text at the end of a lane. */
function sumOf(things: readonly Thing[], { startedAt }: Events): Content {
  const [first] = things;
  const spans = things.filter(isSpan);
  if (spans.length === 0) return things.length === 1 ? shortSince(first.from.at - startedAt) : "";
  const failed = spans.filter(({ outcome }) => outcome === "failed").length;
  if (spans.some(({ outcome }) => outcome === "open")) return "open";
  if (failed > 0) {
    return markup`<span class="bad">${spans.length === 1 ? "failed" : `${grouped(failed)} failed`}</span>`;
  }
  if (spans.length === 1 && spans[0].outcome === "left") return "not over";
  return duration(spans.reduce((sum, span) => sum + span.to.at - span.from.at, 0));
}

/** `+00:02`, without hours and milliseconds where there are none. */
function shortSince(ms: number): string {
  return since(ms).replace(/\.\d+$/, "").replace(/^([+-])00:(?=\d\d:\d\d$)/, "$1");
}

function titleOf(things: readonly Thing[], { startedAt }: Events): string {
  const [first] = things;
  const at = since(first.from.at - startedAt);
  if (things.length > 1) return `${grouped(things.length)} × ${labelOf(first)}, the first at ${at}`;
  if (!isSpan(first)) return `${labelOf(first)} at ${at}`;
  const error = first.error ?? first.attempts[first.attempts.length - 1]?.error;
  const took = first.outcome === "open" ? "not over yet" : duration(first.to.at - first.from.at);
  return `${labelOf(first)} at ${at}: ${took}${first.outcome === "failed" ? ", failed" : ""}${
    error ? `, ${showError(error)}` : ""
  }`;
}
