/**
 * The page of one run.
 *
 * @module
 */

import { showValue } from "../util/show_value.ts";
import { actionMenus, actionNotice } from "./actions.ts";
import type { Guard } from "./guard.ts";
import { markup } from "./html.ts";
import { errorPage, respond } from "./layout.ts";
import { link } from "./links.ts";
import { redactState } from "./redact.ts";
import type { Settings } from "./settings.ts";

/** The page of a run. */
export async function runPage(url: URL, id: string, settings: Settings, guard: Guard): Promise<Response> {
  const stored = await settings.store.load(id);
  if (stored === null) return errorPage(settings, 404, "Not found", markup`There is no workflow ${id}.`);
  const state = redactState(settings.redact, stored);
  const { history, ...rest } = state;
  const head = { ...rest, historyLength: history.length, firstRunId: state.runId };
  const main = markup`<a data-up href="?">All runs</a><h1>${id}</h1>${await actionMenus(head, settings, guard)}${
    actionNotice(url.searchParams, settings)
  }
<p>${state.status} ${state.workflowName}</p><ol>${history.map((event) => markup`<li>${showValue(event)}</li>`)}</ol>`;
  return respond({ title: id, main, events: link({ events: 1, id }) }, settings);
}
