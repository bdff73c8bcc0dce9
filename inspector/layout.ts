/**
 * What all pages have in common: head, header, icons, error pages.
 *
 * @module
 */

import type { WorkflowStatus } from "../types.ts";
import { type Content, Html, markup } from "./html.ts";
import { SCRIPT } from "./script.ts";
import type { Settings } from "./settings.ts";
import { STYLE } from "./style.ts";

/** A page. */
export interface Page {
  /** The beginning of the title of the window. */
  readonly title: string;
  /** The content of `<main>`. */
  readonly main: Html;
  /** The address of the stream of changes; without it the page does not change. */
  readonly events?: string | undefined;
  /** Whether what the page shows is expected to change. */
  readonly isRunning?: boolean | undefined;
}

/** Writes a page. */
export function respond(page: Page, settings: Settings, status = 200): Response {
  const { title, actions, live, store } = settings;
  const events = live && store.subscribe !== undefined && page.events !== undefined &&
    markup` data-events="${page.events}"`;
  const poll = live && page.isRunning && markup` data-poll`;
  const body = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · ${title}</title>
<link rel="stylesheet" href="?asset=style&amp;v=${VERSION}">
<link rel="icon" href="?asset=icon" type="image/svg+xml">
<script src="?asset=script&amp;v=${VERSION}"></script>
</head>
<body${events}${poll}>
${SPRITE}
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="brand" href="?">${icon("logo")}<b>${title}</b><span class="dim wide">inspector</span></a>
${
    live
      ? markup`<span class="live" data-live hidden><i></i>live</span>`
      : markup`<span class="live still" title="What is shown does not change"><i></i>not live</span>`
  }
${!actions && markup`<span class="badge wide" title="This inspector changes nothing">read-only</span>`}
<button class="button square" type="button" data-theme hidden aria-label="Light or dark">${icon("theme")}</button>
</header>
<main id="main" tabindex="-1">
${page.main}
</main>
</body>
</html>
`;
  return new Response(body.text, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}

/** A page that says what is wrong. */
export function errorPage(settings: Settings, status: number, title: string, text: Content): Response {
  const main = markup`<nav class="crumbs" aria-label="Where you are"><a data-up href="?">All runs</a></nav>
<section class="card empty">${icon("failed")}<h1>${title}</h1><p>${text}</p></section>`;
  return respond({ title, main }, settings, status);
}

/** An icon of the sprite. It is decoration: a text beside it says the same. */
export function icon(name: string): Html {
  return markup`<svg class="icon" aria-hidden="true"><use href="${`#i-${name}`}"/></svg>`;
}

/** The status of a run, as a pill. */
export function statusPill(status: WorkflowStatus, isShort = false): Html {
  const text = isShort ? markup`<span class="hidden">${status}</span>` : status;
  return markup`<span class="status ${status}">${icon(status)}${text}</span>`;
}

/** Changes with the styles and the script, so that browsers may keep them. */
const VERSION = /* @__PURE__ */ (() => fingerprint(STYLE + SCRIPT))();

function fingerprint(text: string): string {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash, 31) + text.charCodeAt(i) | 0;
  return (hash >>> 0).toString(36);
}

/** The logo as a file. */
export const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><g fill="none" stroke="#2f7de1" stroke-width="1.8"><ellipse cx="10" cy="10" rx="9" ry="6.5"/><ellipse cx="10" cy="10" rx="4.6" ry="3.2"/></g><circle cx="10" cy="10" r="1.2" fill="#2f7de1"/></svg>`;

const SHAPES: Readonly<Record<string, string>> = {
  logo:
    `<ellipse cx="10" cy="10" rx="9" ry="6.5"/><ellipse cx="10" cy="10" rx="4.6" ry="3.2"/><circle cx="10" cy="10" r=".6"/>`,
  theme: `<circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor"/>`,
  search: `<circle cx="8.5" cy="8.5" r="5"/><path d="M12.5 12.5L17 17"/>`,
  running: `<path d="M10 3.5a6.5 6.5 0 1 1-6.1 4.3"/>`,
  completed: `<path d="M4 10.5l4 4 8-9"/>`,
  failed: `<path d="M5 5l10 10M15 5L5 15"/>`,
  canceled: `<circle cx="10" cy="10" r="6.5"/><path d="M5.5 14.5l9-9"/>`,
  clock: `<circle cx="10" cy="10" r="7"/><path d="M10 6v4.5l3 1.8"/>`,
  warning: `<path d="M10 3L2.5 16.5h15z"/><path d="M10 8.5v3.5M10 14v.5"/>`,
  down: `<path d="M5 7.5l5 5 5-5"/>`,
  left: `<path d="M12 5l-5 5 5 5"/>`,
  right: `<path d="M8 5l5 5-5 5"/>`,
  close: `<path d="M5.5 5.5l9 9M14.5 5.5l-9 9"/>`,
};

const SPRITE = /* @__PURE__ */ (() =>
  new Html(
    `<svg class="sprite" aria-hidden="true">${
      Object.entries(SHAPES).map(([name, shape]) => `<symbol id="i-${name}" viewBox="0 0 20 20">${shape}</symbol>`)
        .join(
          "",
        )
    }<pattern id="failed" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="f-page" width="5" height="5"/><rect class="f-failed" width="2.5" height="5"/></pattern><pattern id="retry" width="4" height="8" patternUnits="userSpaceOnUse"><rect class="f-dash" width="2" height="8"/></pattern></svg>`,
  ))();
