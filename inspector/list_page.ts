/**
 * The list of runs: status tabs, search, names, a histogram of starts, and a row for each run.
 *
 * @module
 */

import type { OpenRun } from "../options.ts";
import { type OpenWait, readRun, sharesOf } from "../pictures/mod.ts";
import type { WorkflowFilter, WorkflowHead, WorkflowStatus } from "../types.ts";
import { grouped, showError, showValue } from "../util/show_value.ts";
import { type Content, type Html, markup } from "./html.ts";
import { histogram } from "./histogram.ts";
import { errorPage, icon, respond, statusPill } from "./layout.ts";
import { link, type Query } from "./links.ts";
import type { Reader, Row, RowPage } from "./reader.ts";
import { readSearch, searchFor } from "./search.ts";
import type { Settings } from "./settings.ts";
import { shareBar } from "./shares.ts";
import { duration, time, timeText } from "./times.ts";
import { describeWaits } from "./waits.ts";

const PAGE = 50;
/** Runs are counted under a filter only if there are at most so many: the store may have to look at each. */
const MAX_FILTERED_COUNT = 2_000;
const STATUSES: readonly WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

/** What the address asks for. */
interface ListView {
  readonly status: WorkflowStatus | undefined;
  readonly q: string;
  readonly cursor: string | undefined;
  readonly after: number | undefined;
  readonly before: number | undefined;
}

/** The page of the list. */
export async function listPage(url: URL, settings: Settings, reader: Reader): Promise<Response> {
  const now = settings.now();
  const view = readView(url.searchParams);
  const found = await find(view, reader).catch((error) => {
    if (view.cursor !== undefined && (error instanceof TypeError || error instanceof RangeError)) return undefined;
    throw error;
  });
  if (found === undefined) return errorPage(settings, 400, "Not found", "There is no such page of the list.");
  const [counts, exact] = await Promise.all([countsOf(found.filter, reader), found.exact]);
  const open = reader.openRuns();
  const { rows, cursor } = found.page;
  const main = markup`<h1 class="hidden">Runs</h1>
<section class="card list">
${tabs(view, counts)}
${searchForm(view)}
${chips(view, rows)}
${rows.length > 1 && histogram(rows.map(({ head }) => head), now, (after, before) => linkOf(view, { after, before }))}
${
    exact &&
    markup`<p class="note">The workflow with this ID: <a href="${
      link({ id: exact })
    }"><b class="id">${exact}</b></a></p>`
  }
${rows.length === 0 ? emptyList(view) : table(rows, open, now)}
${pager(view, cursor)}
</section>`;
  return respond({ title: "Runs", main, events: link({ events: 1 }), isRunning: true }, settings);
}

function readView(parameters: URLSearchParams): ListView {
  const number = (name: string) => {
    const value = Number(parameters.get(name) || NaN);
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    status: STATUSES.find((status) => status === parameters.get("status")),
    q: parameters.get("q")?.trim() ?? "",
    cursor: parameters.get("cursor") || undefined,
    after: number("after"),
    before: number("before"),
  };
}

function linkOf({ status, q, after, before }: ListView, changes: Query): string {
  return link({ status, q, after, before, ...changes });
}

interface Found {
  readonly page: RowPage;
  /** Without the status. */
  readonly filter: WorkflowFilter;
  /** The ID of a workflow that is exactly what was searched for, and is not in the page. */
  readonly exact: string | undefined;
}

/** The runs of the page. A text that is no `key:value` is a name if there is a run of that name, else the beginning of an ID. */
async function find(view: ListView, reader: Reader): Promise<Found> {
  const { text, filter: searched } = readSearch(view.q);
  const filter: WorkflowFilter = {
    ...searched,
    ...(view.after !== undefined && { createdAfter: view.after }),
    ...(view.before !== undefined && { createdBefore: view.before }),
  };
  const pageOf = async (filter: WorkflowFilter): Promise<Omit<Found, "exact">> => {
    const whole = { ...filter, ...(view.status !== undefined && { status: view.status }) };
    return { filter, page: await reader.page(whole, PAGE, view.cursor) };
  };
  const exactId = view.q === "" ? undefined : (await reader.head(view.q).catch(() => null))?.workflowId; // a store may refuse it as an ID
  const exact = ({ page }: Omit<Found, "exact">) =>
    page.rows.some(({ head }) => head.workflowId === exactId) ? undefined : exactId;
  if (text !== "" && filter.workflowName === undefined) {
    const named = await pageOf({ ...filter, workflowName: text });
    if (named.page.rows.length > 0) return { ...named, exact: exact(named) };
  }
  const found = await pageOf(text === "" ? filter : { ...filter, idPrefix: text });
  return { ...found, exact: exact(found) };
}

/** How many runs there are of every status, and of each. */
async function countsOf(filter: WorkflowFilter, reader: Reader): Promise<(number | undefined)[]> {
  const each = (filter: WorkflowFilter) => Promise.all(STATUSES.map((status) => reader.count({ ...filter, status })));
  let counts = await each({});
  const sum = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  if (Object.keys(filter).length > 0) {
    counts = sum <= MAX_FILTERED_COUNT ? await each(filter) : STATUSES.map(() => undefined);
  }
  const isKnown = counts.every((count) => count !== undefined);
  return [isKnown ? counts.reduce<number>((sum, count) => sum + count!, 0) : undefined, ...counts];
}

function tabs(view: ListView, counts: readonly (number | undefined)[]): Html {
  const names = [["", "All runs"], ...STATUSES.map((status) => [status, status[0].toUpperCase() + status.slice(1)])];
  return markup`<nav class="tabs" aria-label="Status">${
    names.map(([status, name], i) => {
      const count = counts[i] !== undefined && markup` <span class="count">${grouped(counts[i])}</span>`;
      const current = (view.status ?? "") === status && markup` aria-current="page"`;
      return markup`<a href="${linkOf(view, { status })}"${current}>${name}${count}</a>`;
    })
  }</nav>`;
}

function searchForm(view: ListView): Html {
  const hint = "ID or name, or  name:order  region:eu";
  return markup`<form class="search" role="search"><label class="hidden" for="q">Search runs</label>
${
    icon("search")
  }<input id="q" name="q" type="search" value="${view.q}" placeholder="${hint}" autocomplete="off" spellcheck="false" data-search>
${
    view.status !== undefined && markup`<input type="hidden" name="status" value="${view.status}">`
  }<kbd aria-hidden="true">/</kbd>
<button class="hidden">Search</button></form>`;
}

/** The names of the runs of the page, the most frequent first, and what else limits the list. */
function chips(view: ListView, rows: readonly Row[]): Html {
  const numbers = new Map<string, number>();
  for (const { head: { workflowName } } of rows) numbers.set(workflowName, (numbers.get(workflowName) ?? 0) + 1);
  const names = [...numbers].filter(([name]) => name !== "").sort(([, a], [, b]) => b - a).slice(0, 8);
  const { after, before, q } = view;
  const clear = (text: Content, changes: Query) =>
    markup`<a class="chip set" href="${linkOf(view, changes)}">${text} ${
      icon("close")
    }<span class="hidden">remove</span></a>`;
  const range = after !== undefined && before !== undefined &&
    clear(`${timeText(after).slice(0, 16)} to ${timeText(before).slice(0, 16)}`, { after: "", before: "" });
  const list = names.length < 2 && q !== ""
    ? ""
    : names.map(([name, count]) =>
      markup`<a class="chip" href="${linkOf(view, { q: searchFor("name", name) })}" title="${
        grouped(count)
      } on this page"><b>${name}</b> ${grouped(count)}</a>`
    );
  return markup`<div class="chips">${q !== "" && clear(markup`<b>${q}</b>`, { q: "" })}${range}${list}</div>`;
}

function emptyList(view: ListView): Html {
  const isFiltered = view.q !== "" || view.status !== undefined || view.after !== undefined;
  if (!isFiltered) {
    return markup`<div class="empty">${icon("logo")}<h2>No runs yet</h2>
<p>Runs appear here as soon as an executor starts them: <code>executor.execute(order, { id: "order-1" })</code></p></div>`;
  }
  return markup`<div class="empty">${icon("search")}<h2>No run matches</h2>
<p>A text is the beginning of an ID, or a name. <a href="?">Show all runs</a></p></div>`;
}

function table(rows: readonly Row[], open: ReadonlyMap<string, OpenRun>, now: number): Html {
  return markup`<table class="runs">
<thead><tr><th scope="col">Status</th><th scope="col">Workflow</th><th scope="col">Now, or how it ended</th>
<th scope="col">Where the time went</th><th scope="col" class="num">Started</th><th scope="col" class="num">Took</th>
<th scope="col" class="num">Events</th></tr></thead>
<tbody>${rows.map((row) => tableRow(row, open.get(row.head.workflowId), now))}</tbody></table>`;
}

function tableRow({ head, state }: Row, open: OpenRun | undefined, now: number): Html {
  const { workflowId, workflowName, status, labels = {}, createdAt, updatedAt, historyLength, runId } = head;
  const took = (status === "running" ? now : updatedAt) - createdAt;
  const waitsFor = open?.runId === runId ? open.waitsFor : undefined;
  const run = state && readRun(state, { now, waitsFor });
  const isWhole = run?.history[0]?.type === "workflow_started";
  const texts = Object.entries(labels);
  const named = texts.slice(0, 4).map(([key, text]) => markup` <span>${key}:${text}</span>`);
  const more = texts.length > 4 && ` … ${texts.length - 4} more`;
  return markup`<tr data-id="${workflowId}"><td>${statusPill(status)}</td>
<td><a class="id" data-row href="${link({ id: workflowId })}">${workflowId}</a>
<div class="sub"><span class="name">${workflowName}</span><span class="dim">${
    texts.length > 0 && " ·"
  }${named}${more}</span></div></td>
<td>${outcome(head, run?.waits ?? waitsFor ?? [], now)}</td>
<td>${isWhole && shareBar(sharesOf(run))}</td>
<td class="num">${time(createdAt, duration(now - createdAt))}</td><td class="num">${duration(took)}</td>
<td class="num">${grouped(historyLength)}</td></tr>
`;
}

/** What a run waits for or how it ended, and its input. */
function outcome({ status, error, result, input }: WorkflowHead, waits: readonly OpenWait[], now: number): Html {
  const cut = (text: string) => text.length > 160 ? `${text.slice(0, 160)}…` : text;
  const inputLine = input !== undefined && markup`<div class="sub dim">input ${cut(showValue(input))}</div>`;
  const line = status === "running"
    ? describeWaits(waits, now, true)
    : status === "completed"
    ? result !== undefined && markup`→ ${cut(showValue(result))}`
    : error !== undefined && markup`<span class="${status}">${cut(showError(error))}</span>`;
  return markup`<div class="now">${line}</div>${inputLine}`;
}

function pager(view: ListView, cursor: string | undefined): Html {
  if (cursor === undefined && view.cursor === undefined) return markup``;
  return markup`<nav class="pager" aria-label="Pages">
${view.cursor !== undefined && markup`<a class="button" href="${linkOf(view, {})}">${icon("left")} Newest</a>`}
${
    cursor !== undefined &&
    markup`<a class="button" rel="next" href="${linkOf(view, { cursor })}">Older ${icon("right")}</a>`
  }</nav>`;
}
