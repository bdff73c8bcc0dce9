/**
 * The list of runs.
 *
 * @module
 */

import { markup } from "./html.ts";
import { respond } from "./layout.ts";
import { link } from "./links.ts";
import type { Settings } from "./settings.ts";

/** The page of the list. */
export async function listPage(_url: URL, settings: Settings): Promise<Response> {
  settings.now();
  const states = await settings.store.list({ order: "desc", limit: 50 });
  const rows = states.map(({ workflowId, workflowName, status }) =>
    markup`
      <tr>
        <td>${status}</td>
        <td><a data-row href="${link({ id: workflowId })}">${workflowId}</a></td>
        <td>${workflowName}</td>
      </tr>
    `
  );
  return respond({ title: "Runs", main: markup`<table>${rows}</table>`, events: link({ events: 1 }) }, settings);
}
