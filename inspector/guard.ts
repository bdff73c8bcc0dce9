/**
 * What protects the inspector from other pages, and pages from values: hosts, headers of responses, same-origin, tokens.
 *
 * @module
 */

import type { Settings } from "./settings.ts";

/** One for each inspector. */
export class Guard {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The refusal of a request that must not be answered, before it is authorized: a foreign host, a foreign POST. */
  refuse(request: Request): Promise<Response | undefined> {
    const { hosts } = this.#settings;
    const { hostname } = new URL(request.url);
    if (hosts === undefined || hosts.includes(hostname)) return Promise.resolve(undefined);
    return Promise.resolve(new Response("Unknown host", { status: 403 }));
  }

  /** The token that a POST about this workflow must carry as the form's field `token`. */
  token(_workflowId: string): Promise<string> {
    return Promise.resolve("");
  }

  /** The response with the headers that every response has. A `cache-control` of its own stays. */
  protect(response: Response): Response {
    const headers = new Headers(response.headers);
    headers.set("content-security-policy", CSP);
    headers.set("x-content-type-options", "nosniff");
    headers.set("referrer-policy", "no-referrer");
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    return new Response(response.body, { status: response.status, headers });
  }
}

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
