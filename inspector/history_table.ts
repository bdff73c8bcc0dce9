/**
 * The history of a run as a table: filtered by groups, in pages.
 *
 * @module
 */

import { grouped } from "../util/show_value.ts";
import { colorOf, type Events, type Group, GROUPS, isIn, typeText } from "./events.ts";
import { type Html, markup } from "./html.ts";
import { icon } from "./layout.ts";
import type { RunView } from "./run_view.ts";
import { since } from "./times.ts";

/** How many events a page has. */
const PAGE = 200;

/** Shows a page of the history. */
export function historyTable(events: Events, view: RunView): Html {
  const { history, startedAt } = events;
  const groups = (Object.keys(GROUPS) as Group[]).filter((group) => history.some((event) => isIn(event, group)));
  const group = groups.find((group) => group === view.group);
  const indexes = history.flatMap((event, i) => group === undefined || isIn(event, group) ? [i] : []);
  const pages = Math.max(1, Math.ceil(indexes.length / PAGE));
  const place = view.event === undefined ? -1 : indexes.indexOf(view.event - 1);
  // The page that is seen first is full: that is the last one of a running run.
  const missing = view.opensAtEnd ? pages * PAGE - indexes.length : 0;
  const chosen = view.page ?? (place >= 0 ? Math.floor((place + missing) / PAGE) + 1 : view.opensAtEnd ? pages : 1);
  const page = Math.min(pages, chosen);
  const shown = indexes.slice(Math.max(0, (page - 1) * PAGE - missing), page * PAGE - missing);
  const tabs = [[undefined, "All"] as const, ...groups.map((group) => [group, GROUPS[group]] as const)];
  return markup`<section class="card" id="history"><header><h2>History</h2>
<nav class="switch right" aria-label="Which events">${
    tabs.map(([name, text]) =>
      markup`<a href="${view.link({ f: name, page: undefined, e: undefined })}#history"${
        name === group && markup` aria-current="true"`
      }>${text}</a>`
    )
  }</nav></header>
<table class="history"><thead><tr><th scope="col">Number</th><th scope="col">Since the start</th><th scope="col">Type</th>
<th scope="col">What</th></tr></thead><tbody>${
    shown.map((i) => {
      const event = history[i];
      const isChosen = view.event === i + 1;
      return markup`<tr id="e${i + 1}"${isChosen && markup` aria-current="true"`}><td class="num dim">${
        i + 1
      }</td><td class="mono at">${
        since(event.at - startedAt)
      }</td><td class="type"><svg class="dot" aria-hidden="true"><rect class="f-${
        colorOf(event)
      }" width="8" height="8" rx="2"/></svg><a data-row href="${view.link({ e: i + 1, page: undefined })}">${
        typeText(event.type)
      }</a></td><td class="what">${events.describe(event)}</td></tr>
`;
    })
  }</tbody></table>${pages > 1 && pager(view, page, pages, shown, history.length)}</section>`;
}

function pager(view: RunView, page: number, pages: number, shown: readonly number[], length: number): Html {
  const to = (number: number, content: Html) =>
    number < 1 || number > pages
      ? markup`<span class="button" aria-disabled="true">${content}</span>`
      : markup`<a class="button" href="${view.link({ page: number, e: undefined })}#history">${content}</a>`;
  return markup`<nav class="pager" aria-label="Pages of the history"><span class="dim">Events ${
    grouped(shown[0] + 1)
  } to ${grouped(shown[shown.length - 1] + 1)} of ${grouped(length)}, page ${page} of ${pages}</span>${
    to(1, markup`First`)
  }${to(page - 1, markup`${icon("left")} Earlier`)}${to(page + 1, markup`Later ${icon("right")}`)}${
    to(pages, markup`Last`)
  }</nav>`;
}
