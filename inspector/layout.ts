/**
 * What all pages have in common: head, header, error pages.
 *
 * @module
 */

import { type Content, type Html, html } from "./html.ts";
import type { Settings } from "./settings.ts";

/** A page. */
export interface Page {
  /** The beginning of the title of the window. */
  readonly title: string;
  /** The content of `<main>`. */
  readonly main: Html;
  /** The address of the stream of changes; without it the page does not change. */
  readonly events?: string | undefined;
}

/** Writes a page. */
export function respond(page: Page, settings: Settings, status = 200): Response {
  const { title } = settings;
  const body = html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${page.title} · ${title}</title>
        <link rel="stylesheet" href="?asset=style">
        <script src="?asset=script" defer></script>
      </head>
      <body${page.events === undefined ? "" : html`
        data-events="${page.events}"
      `}>
        <header><a href="?">${title}</a> <span data-live hidden>live</span> <button type="button" data-theme hidden>Theme</button></header>
        <main id="main">${page.main}</main>
        </body>
        </html>
  `;
  return new Response(body.text, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}

/** A page that says what is wrong. */
export function errorPage(settings: Settings, status: number, title: string, text: Content): Response {
  return respond(
    {
      title,
      main: html`
        <h1>${title}</h1>
        <p>${text}</p>
      `,
    },
    settings,
    status,
  );
}
