/**
 * What the inspector does to a workflow: signal, update, query, cancel, terminate.
 *
 * @module
 */

import type { WorkflowHead } from "../types.ts";
import type { Guard } from "./guard.ts";
import { type Html, markup } from "./html.ts";
import type { Settings } from "./settings.ts";

/** What a POST to `?id=ID&do=ACTION` wants. The guard has let it through, and `authorize` has not been asked yet. */
export function handleAction(_request: Request, _settings: Settings, _guard: Guard): Promise<Response> {
  return Promise.resolve(new Response("Not found", { status: 404 }));
}

/**
 * The buttons and forms of a run, at the top right of its page; empty without `actions`. Each is a
 * `<details class="menu"><summary class="button">Signal…</summary><div class="panel">…</div></details>`.
 */
export function actionMenus(_head: WorkflowHead, _settings: Settings, _guard: Guard): Promise<Html> {
  return Promise.resolve(markup``);
}
