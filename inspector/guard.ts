/**
 * What protects the inspector from other pages: hosts, the origin of requests, tokens, headers of responses.
 *
 * 1. A request under a host that is not allowed reads nothing (DNS rebinding).
 * 2. A request that a page of another origin makes is refused, unless it is a link to a view. Browsers say it in `Sec-Fetch-Site`.
 *    They send that to localhost and to https only; elsewhere `Origin` decides about a POST.
 * 3. A POST about a workflow also needs the token of that workflow, which only a page of this process has.
 * 4. Every response has a policy by which a page runs, loads and sends nothing but what is the inspector's own.
 *
 * @module
 */

import { show } from "../util/show.ts";
import { errorPage } from "./layout.ts";
import { encodeId } from "./links.ts";
import type { InspectorAction, Settings } from "./settings.ts";

/** One for each inspector. */
export class Guard {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The refusal of a request that must not be answered, before it is authorized: a foreign host, a foreign page. */
  refuse(request: Request): Response | undefined {
    const why = this.#refusedHost(request) ?? this.#refusedPage(request);
    return why === undefined ? undefined : plain(403, why);
  }

  #refusedHost(request: Request): string | undefined {
    const { hosts, authorize } = this.#settings;
    if (hosts === undefined && authorize !== undefined) return undefined;
    // The URL may be made of other headers, which a page can choose.
    const host = (request.headers.get("host") ?? new URL(request.url).host).toLowerCase();
    const name = host.replace(/:\d+$/, "");
    if (hosts?.some((allowed) => [name, name.replace(/^\[(.*)\]$/, "$1")].includes(allowed.toLowerCase()))) return;
    if (hosts === undefined && isLocal(name)) return undefined;
    return `Cannot answer a request to the host ${show(name)}: it is not in "hosts" of the inspector`;
  }

  #refusedPage({ method, url, headers }: Request): string | undefined {
    const reads = method === "GET" || method === "HEAD";
    const site = headers.get("sec-fetch-site");
    if (site === null) {
      const origin = headers.get("origin");
      const own = this.#settings.origin ?? new URL(url).origin;
      if (reads || origin === own) return undefined;
      return origin === null
        ? "Cannot accept a POST: the browser does not say which page it comes from (Sec-Fetch-Site, Origin)"
        : `Cannot accept a POST from ${show(origin)}: it must come from ${show(own)}; behind a proxy, set "origin"`;
    }
    if (site === "same-origin" || reads && (site === "none" || headers.get("sec-fetch-mode") === "navigate")) return;
    return "Cannot answer a page of another site";
  }

  /** The answer to a request that `authorize` does not let through. */
  async authorize(request: Request, action: InspectorAction, workflowId?: string): Promise<Response | undefined> {
    const allowed = await this.#settings.authorize?.(request, action, workflowId) ?? true;
    if (allowed === true) return undefined;
    if (!(allowed instanceof Response)) {
      const text = action === "view" ? "You may not look at these workflows." : `You may not ${action} workflows here.`;
      return errorPage(this.#settings, 403, "Not allowed", text);
    }
    if (allowed.type === "error") throw new TypeError('Cannot answer: "authorize" returned Response.error()');
    return allowed.clone(); // it may be returned again
  }

  /** The token that a POST about this workflow must carry as the form's field `token`. */
  async token(workflowId: string): Promise<string> {
    const signature = await crypto.subtle.sign("HMAC", await processKey(), subjectOf(workflowId));
    return [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Whether a token is that of a workflow. It takes the same time for each wrong one. */
  async isToken(token: string, workflowId: string): Promise<boolean> {
    const bytes = /^[0-9a-f]{64}$/.test(token) ? token.match(/../g)!.map((pair) => parseInt(pair, 16)) : [];
    return await crypto.subtle.verify("HMAC", await processKey(), new Uint8Array(bytes), subjectOf(workflowId));
  }

  /** The response with the headers that every response has. Those of its own stay. */
  protect(response: Response): Response {
    const headers = new Headers(response.headers);
    for (const [name, value] of PROTECTION) {
      if (!headers.has(name)) headers.set(name, value);
    }
    return new Response(response.body, { status: response.status, headers });
  }
}

/** Plain text can quote what a request says. */
function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** Whether a name cannot be the one of a foreign page: this machine, or a number, which nobody can point elsewhere. */
function isLocal(name: string): boolean {
  return /^(.+\.)?localhost$|^\d+\.\d+\.\d+\.\d+$|^\[[0-9a-f:.]+\]$/.test(name);
}

let key: Promise<CryptoKey> | undefined;

/** The key of all inspectors of this process: an inspector may be made for each request. */
function processKey(): Promise<CryptoKey> {
  return key ??= crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

/** What is signed: different bytes for different IDs, also for those with single surrogates. */
function subjectOf(workflowId: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`workflow ${encodeId(workflowId)}`);
}

const PROTECTION: readonly (readonly [name: string, value: string])[] = [
  [
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  ],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["cross-origin-resource-policy", "same-origin"],
  // Not "no-referrer": browsers would send "Origin: null" with the forms.
  ["referrer-policy", "same-origin"],
  ["cache-control", "no-store"],
];
