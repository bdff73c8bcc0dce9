/**
 * The page of one run: as it is, or as it was after some of its events.
 *
 * @module
 */

import { stateAt } from "../history/state_at.ts";
import type { WorkflowStartedEvent, WorkflowState } from "../types.ts";
import { grouped, showError } from "../util/show_value.ts";
import { actionMenus, actionNotice } from "./actions.ts";
import { eventPanel } from "./event_panel.ts";
import { errorOf, Events } from "./events.ts";
import { EXPORTS } from "./exports.ts";
import type { Guard } from "./guard.ts";
import { historyTable } from "./history_table.ts";
import { type Html, markup } from "./html.ts";
import { errorPage, icon, respond, statusPill } from "./layout.ts";
import { link } from "./links.ts";
import { headOf, type Reader } from "./reader.ts";
import { queryCard } from "./queries.ts";
import { redactState } from "./redact.ts";
import { RunView } from "./run_view.ts";
import { searchFor } from "./search.ts";
import type { Settings } from "./settings.ts";
import { childrenCard, runCard, valueCards } from "./side.ts";
import { timelineCard, travelLink } from "./timeline.ts";
import { duration, since, time } from "./times.ts";
import { errorTree } from "./value.ts";
import { describeWaits } from "./waits.ts";

/** The page of a run. */
export async function runPage(
  url: URL,
  id: string,
  settings: Settings,
  guard: Guard,
  reader: Reader,
): Promise<Response> {
  const latest = await reader.stored(id);
  if (latest === null) return notFound(settings, id);
  const view = new RunView(url.searchParams, latest);
  let stored = latest;
  try {
    if (view.at !== undefined) stored = stateAt(latest, view.at);
  } catch (error) {
    return errorPage(settings, 422, "Not possible", showError(error)); // the history makes no sense
  }
  const state = redactState(settings.redact, stored);
  const head = headOf(redactState(settings.redact, latest));
  const isPast = view.at !== undefined;
  const now = isPast ? state.updatedAt : settings.now();
  const open = isPast ? undefined : reader.openRuns().get(id);
  const waitsFor = open?.runId === state.runId ? open.waitsFor : undefined;
  const events = new Events(state, { now, waitsFor });
  const waits = describeWaits(events.run.waits, now, false);
  const banner = isPast
    ? travelBanner(state, events, view, waits)
    : head.status === "running"
    ? waitBanner(waits, state, now)
    : errorBanner(state, view);
  const [menus, queries] = await Promise.all([
    actionMenus(head, settings, guard),
    queryCard(stored, open, view, settings),
  ]);
  const main =
    markup`<nav class="crumbs" aria-label="Where you are"><a data-up href="?">All runs</a><span class="dim">/</span><a href="${
      link({ q: searchFor("name", state.workflowName) })
    }">${state.workflowName}</a></nav>
<div class="head"><h1 class="id">${id}</h1><div class="menus">${menus}${exportMenu(view)}</div></div>
${factLine(state, now)}
${actionNotice(url.searchParams, settings)}
${banner}
<div class="columns"><div class="wide-column">${timelineCard(events, view)}${historyTable(events, view)}</div>
<div class="side">${eventPanel(events, view)}${valueCards(state, view)}${queries}${childrenCard(events, id)}${
      runCard(state, head)
    }</div></div>`;
  const isRunning = head.status === "running" && !isPast;
  return respond({ title: id, main, events: isPast ? undefined : link({ events: 1, id }), isRunning }, settings);
}

/** The page for an ID that no workflow has. */
export function notFound(settings: Settings, id: string): Response {
  return errorPage(
    settings,
    404,
    "Not found",
    markup`There is no workflow <b class="id">${id}</b> in this store. It may have been deleted.`,
  );
}

function factLine(
  { status, workflowName, labels = {}, createdAt, updatedAt, history }: WorkflowState,
  now: number,
): Html {
  const { workflowVersion, startAt = -Infinity } = (history[0] ?? {}) as Partial<WorkflowStartedEvent>;
  const isRunning = status === "running";
  const waitsForStart = isRunning && startAt > now;
  return markup`<ul class="facts-line"><li>${statusPill(status)}</li><li class="soft">${workflowName}</li>
<li class="soft">${waitsForStart ? "created" : "started"} ${time(createdAt, `${duration(now - createdAt)} ago`)}</li>
${
    !waitsForStart &&
    markup`<li class="soft">${isRunning ? "running for" : "took"} <span>${
      duration((isRunning ? now : updatedAt) - createdAt)
    }</span></li>`
  }
<li class="soft"><span>${grouped(history.length)}</span> ${history.length === 1 ? "event" : "events"}</li>
${workflowVersion !== undefined && markup`<li class="soft">version <span>${workflowVersion}</span></li>`}
${
    Object.entries(labels).map(([name, text]) =>
      markup`<li><a class="chip" href="${
        link({ q: searchFor(name, text) })
      }"><span>${name}</span> <b>${text}</b></a></li>`
    )
  }</ul>`;
}

function exportMenu(view: RunView): Html {
  const { id, at } = view;
  return markup`<details class="menu"><summary class="button">Export ${icon("down")}</summary><div class="panel"><ul>${
    Object.entries(EXPORTS).map(([name, { text, hint }]) =>
      markup`<li><a href="${
        link({ id, at, export: name })
      }"><b>${text}</b><br><span class="dim">${hint}</span></a></li>`
    )
  }</ul><form class="compare"><input type="hidden" name="id" value="${
    encodedId(id)
  }"><label for="diff">Compare with the run of</label>
<input id="diff" name="diff" placeholder="workflow ID" required autocomplete="off"><button>Compare</button></form></div></details>`;
}

function encodedId(id: string): string {
  return new URLSearchParams(link({ id })).get("id") ?? "";
}

function travelBanner(
  state: WorkflowState,
  { history, startedAt }: Events,
  view: RunView,
  waits: Html | undefined,
): Html {
  const last = history[history.length - 1];
  return markup`<section class="banner warn">${icon("clock")}<div><b>As it was after event ${view.at} of ${
    grouped(view.length)
  }</b>, <span class="mono">${since(last.at - startedAt)}</span> after its start. ${
    state.status === "running" && waits
  }</div>
<a class="button" href="${travelLink(view, view.length)}">Back to the end</a></section>`;
}

function waitBanner(waits: Html | undefined, { updatedAt }: WorkflowState, now: number): Html {
  const quiet = now - updatedAt;
  return markup`<section class="banner info">${icon("clock")}<div>${
    waits ?? "Its code runs, or waits for what its history does not record."
  }${
    quiet >= 1000 && markup`<div class="dim">Nothing was recorded in the last ${duration(quiet)}.</div>`
  }</div></section>`;
}

/** How a run failed, with causes, and the first event that has the error. */
function errorBanner({ error, history, status }: WorkflowState, view: RunView): Html {
  if (error === undefined) return markup``;
  const same = (other: typeof error | undefined) => other?.name === error.name && other.message === error.message;
  // Not an attempt that was repeated, although its error is often the same.
  const first = history.findIndex((event) => same(errorOf(event)) && !event.type.endsWith("_attempt_failed"));
  const canceled = history.findIndex((event) => event.type === "cancel_requested");
  const place = status === "canceled" && canceled >= 0 ? canceled : first;
  return markup`<section class="banner ${status === "failed" ? "bad" : "stop"}">${icon("warning")}<div>${
    errorTree(error).html
  }</div>${
    place >= 0 &&
    markup`<a class="button" href="${view.link({ e: place + 1, page: undefined })}#e${place + 1}">Event ${
      place + 1
    }</a>`
  }</section>`;
}
