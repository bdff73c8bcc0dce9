/**
 * Two runs side by side, from the first event that differs.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowState } from "../types.ts";
import { grouped } from "../util/show_value.ts";
import { compareHistories, haveSameValues } from "./diff.ts";
import { colorOf, Events, factsOf, typeText, VALUES } from "./events.ts";
import { type Content, type Html, markup } from "./html.ts";
import { icon, respond, statusPill } from "./layout.ts";
import { link } from "./links.ts";
import type { Reader } from "./reader.ts";
import { redactState } from "./redact.ts";
import { notFound } from "./run_page.ts";
import type { Settings } from "./settings.ts";
import { since, time } from "./times.ts";
import { errorTree, valueTree } from "./value.ts";

/** How many events are shown before and after the first one that differs. */
const BEFORE = 5;
const AFTER = 30;

/** One of the two runs. */
interface Side {
  readonly state: WorkflowState;
  readonly events: Events;
}

/** The page of the comparison of two runs. */
export async function diffPage(ids: readonly [string, string], settings: Settings, reader: Reader): Promise<Response> {
  const stored = await Promise.all(ids.map((id) => reader.stored(id)));
  const missing = stored.indexOf(null);
  if (missing >= 0) return notFound(settings, ids[missing]);
  const [left, right] = stored.map((one): Side => {
    const state = redactState(settings.redact, one!);
    return { state, events: new Events(state) };
  });
  const { step, value } = compareHistories(left.state.history, right.state.history);
  const from = step ?? value;
  const title = "Comparison";
  const main =
    markup`<nav class="crumbs" aria-label="Where you are"><a href="?">All runs</a><span class="dim">/</span><a data-up href="${
      link({ id: ids[0] })
    }">${ids[0]}</a></nav>
<div class="head"><h1>${title}</h1><div class="menus"><a class="button" href="${
      link({ id: ids[1], diff: ids[0] })
    }">Swap</a></div></div>
${verdict(step, value)}
<div class="pair">${[left, right].map(({ state }) => headCard(state))}</div>
${from !== undefined && markup`<div class="pair">${[left, right].map((side) => eventCard(side, from))}</div>`}
${table(left, right, step, from ?? 0)}`;
  return respond({ title, main }, settings);
}

function verdict(step: number | undefined, value: number | undefined): Html {
  const text: Content = step !== undefined
    ? markup`<b>Event ${grouped(step + 1)} is the first step that differs.</b>${
      value !== step && value !== undefined && ` Values differ from event ${grouped(value + 1)} on.`
    }`
    : value !== undefined
    ? markup`<b>Both runs took the same steps.</b> Values differ from event ${grouped(value + 1)} on.`
    : markup`<b>Both runs took the same steps with the same values.</b>`;
  return markup`<section class="banner ${step === undefined ? "info" : "warn"}">${
    icon(step === undefined ? "completed" : "warning")
  }<div>${text}
<div class="dim">Times, and IDs that are new in every run, are not compared.</div></div></section>`;
}

function headCard({ workflowId, workflowName, status, createdAt, history }: WorkflowState): Html {
  return markup`<section class="card"><header><a class="id" href="${
    link({ id: workflowId })
  }"><b>${workflowId}</b></a></header><ul class="facts-line inset">
<li>${statusPill(status)}</li><li>${workflowName}</li><li class="soft">${time(createdAt)}</li><li class="soft">${
    grouped(history.length)
  } events</li></ul></section>`;
}

/** The event that differs, in full. */
function eventCard({ state, events }: Side, index: number): Html {
  const event = state.history[index] as WorkflowEvent | undefined;
  if (event === undefined) {
    return markup`<section class="card empty"><p>This run has no event ${grouped(index + 1)}.</p></section>`;
  }
  const values = VALUES.map((name) => {
    const value = (event as unknown as Record<string, unknown>)[name];
    if (value === undefined) return "";
    const { html } = name === "error" ? errorTree(value as never) : valueTree(value);
    return markup`<div class="value"><h3>${name}</h3>${html}</div>`;
  });
  return markup`<section class="card event"><header><h2>Event ${grouped(index + 1)}</h2><b class="title">${dot(event)}${
    typeText(event.type)
  }</b></header><dl class="facts"><dt>At</dt><dd class="mono">${since(event.at - events.startedAt)}</dd>${
    factsOf(event).map(([name, text]) => markup`<dt>${name}</dt><dd>${text}</dd>`)
  }</dl>${values}</section>`;
}

function table(left: Side, right: Side, step: number | undefined, from: number): Html {
  const longest = Math.max(left.state.history.length, right.state.history.length);
  const first = Math.max(0, from - BEFORE);
  const last = Math.min(longest, from + AFTER);
  const rows = Array.from({ length: last - first }, (_, i) => {
    const index = first + i;
    const [a, b] = [left.state.history[index], right.state.history[index]] as (WorkflowEvent | undefined)[];
    const differs = step !== undefined && index >= step;
    const other = !differs && a !== undefined && b !== undefined && !haveSameValues(a, b);
    return markup`<tr${index === step && markup` aria-current="true"`}><td class="num dim">${index + 1}${
      other && markup` <span class="dim" title="Another value">≠</span>`
    }</td>${[left, right].map((side) => cell(side, index))}</tr>
`;
  });
  const before = first > 0 &&
    markup`<tr><td></td><td colspan="2" class="dim">${grouped(first)} events with the same steps</td></tr>`;
  const after = last < longest &&
    markup`<tr><td></td><td colspan="2" class="dim">… ${grouped(longest - last)} more</td></tr>`;
  return markup`<section class="card"><header><h2>Events</h2></header><table class="compared"><thead><tr><th scope="col"><span class="hidden">Number</span></th>
${
    [left, right].map(({ state }) => markup`<th scope="col">${state.workflowId}</th>`)
  }</tr></thead><tbody>${before}${rows}${after}</tbody></table></section>`;
}

function cell({ state, events }: Side, index: number): Html {
  const event = state.history[index] as WorkflowEvent | undefined;
  if (event === undefined) return markup`<td class="dim">–</td>`;
  const to = `${link({ id: state.workflowId, e: index + 1 })}#e${index + 1}`;
  return markup`<td>${dot(event)}<a href="${to}">${typeText(event.type)}</a> <span class="mono dim">${
    since(event.at - events.startedAt)
  }</span><div class="what">${events.describe(event)}</div></td>`;
}

function dot(event: WorkflowEvent): Html {
  return markup`<svg class="dot" aria-hidden="true"><rect class="f-${
    colorOf(event)
  }" width="8" height="8" rx="2"/></svg>`;
}
