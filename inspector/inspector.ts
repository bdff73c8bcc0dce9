/**
 * The inspector: which request gets which answer.
 *
 * Owns the order of the steps: guard, authorization, view. It has one path; what is shown follows from the query alone.
 *
 * 1. Every request is answered. A store, an option or a workflow that fails gives a page with a status code, never a rejection.
 * 2. Every answer has the headers of the guard.
 * 3. Without `actions: true` nothing is written, and no workflow code runs except replays that read.
 *
 * @module
 */

import { showError } from "../util/show_value.ts";
import { handleAction } from "./actions.ts";
import { diffPage } from "./diff_page.ts";
import { exportResponse } from "./exports.ts";
import { Guard } from "./guard.ts";
import { jsonResponse } from "./json.ts";
import { errorPage, ICON } from "./layout.ts";
import { decodeId } from "./links.ts";
import { listPage } from "./list_page.ts";
import { liveResponse } from "./live.ts";
import { Reader } from "./reader.ts";
import { redactState } from "./redact.ts";
import { notFound, runPage } from "./run_page.ts";
import { SCRIPT } from "./script.ts";
import { completeOptions, type InspectorOptions, type Settings } from "./settings.ts";
import { STYLE } from "./style.ts";

/**
 * Makes an inspector: pages that show the workflows of a store.
 *
 * @param options The store, and what else the inspector may use and do.
 * @returns Answers a request. It never rejects: what fails is a page with a status code.
 * @throws {TypeError} If an option is unknown or not of its type.
 *
 * @category Inspector
 */
export function inspector(options: InspectorOptions): (request: Request) => Promise<Response> {
  const settings = completeOptions(options);
  const guard = new Guard(settings);
  const reader = new Reader(settings);
  return async (request) => {
    let response: Response;
    try {
      response = await answer(request, settings, guard, reader);
    } catch (error) {
      response = errorPage(settings, 500, "Something failed", showError(error));
    }
    const { method } = request;
    const answered = guard.protect(response);
    return method === "HEAD" ? new Response(null, answered) : answered;
  };
}

async function answer(request: Request, settings: Settings, guard: Guard, reader: Reader): Promise<Response> {
  const refused = guard.refuse(request);
  if (refused) return refused;
  if (request.method === "POST") return await handleAction(request, settings, guard, reader);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Method not allowed", { status: 405, headers: { allow: "GET, HEAD, POST" } });
  }
  const url = new URL(request.url);
  const given = url.searchParams.get("id");
  const id = given === null || given === "" ? undefined : decodeId(given);
  const forbidden = await guard.authorize(request, "view", id);
  if (forbidden) return forbidden;
  const asset = url.searchParams.get("asset");
  if (asset !== null) return assetResponse(asset);
  if (url.searchParams.has("events")) return liveResponse(request, settings, id);
  if (url.searchParams.has("json")) return await jsonResponse(url, id, settings, guard, reader);
  if (id !== undefined && url.searchParams.has("export")) return await exportPage(url, id, settings, reader);
  const other = decodeId(url.searchParams.get("diff")?.trim() ?? "");
  if (id !== undefined && other !== "") {
    return await guard.authorize(request, "view", other) ?? await diffPage([id, other], settings, reader);
  }
  return id === undefined ? await listPage(url, settings, reader) : await runPage(url, id, settings, guard, reader);
}

async function exportPage(url: URL, id: string, settings: Settings, reader: Reader): Promise<Response> {
  const state = await reader.stored(id);
  if (state === null) return notFound(settings, id);
  try {
    const response = await exportResponse(
      url.searchParams,
      redactState(settings.redact, state),
      { now: settings.now(), waitsFor: reader.waitsFor(state) },
      () => reader.descendants(state),
    );
    return response ?? errorPage(settings, 404, "Not found", "There is no such export of a run.");
  } catch (error) {
    return errorPage(settings, 422, "Not possible", showError(error)); // such as a value that no source can make
  }
}

const ASSETS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  style: ["text/css", STYLE],
  script: ["text/javascript", SCRIPT],
  icon: ["image/svg+xml", ICON],
};

function assetResponse(name: string): Response {
  if (!Object.hasOwn(ASSETS, name)) return new Response("Not found", { status: 404 });
  const [type, text] = ASSETS[name];
  return new Response(text, {
    headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "max-age=86400" },
  });
}
