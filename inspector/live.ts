/**
 * Tells a page that what it shows has changed, by server-sent events.
 *
 * @module
 */

import type { Settings } from "./settings.ts";

/**
 * The answer to `?events=1`, with `id` if the page shows one run: an event stream with a message for each change. A store that
 * reports no changes gets 404, and the page reloads by itself.
 */
export function liveResponse(_request: Request, _settings: Settings, _id: string | undefined): Response {
  return new Response("Not found", { status: 404 });
}
