/**
 * What the inspector does to a workflow: signal, update, query, cancel, terminate.
 *
 * An action is a form that is sent to `?id=ID&do=ACTION`. What is done is answered by a redirect to the run, whose page says so: a page
 * that is loaded again repeats nothing. An answer of a query, and everything that went wrong, is a page of its own with the form,
 * filled in as it was sent.
 *
 * 1. Nothing is read of a request before `authorize` has let it through.
 * 2. A form acts on the chain of runs whose page it is of, and not on a later workflow with the same ID.
 * 3. A signal and an update have an ID that is made with their form, so a form that is sent twice has one effect.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { Executor } from "../executor.ts";
import type { WorkflowHandlers } from "../options.ts";
import type { WorkflowHead } from "../types.ts";
import { randomId } from "../util/prng.ts";
import { show } from "../util/show.ts";
import { showError } from "../util/show_value.ts";
import type { Guard } from "./guard.ts";
import { type Content, type Html, markup } from "./html.ts";
import { jsonOutcome, wantsJson } from "./json.ts";
import { errorPage, icon, respond } from "./layout.ts";
import { decodeId, link } from "./links.ts";
import type { Reader } from "./reader.ts";
import { redactValue } from "./redact.ts";
import type { InspectorAction, Settings } from "./settings.ts";
import { valueTree } from "./value.ts";

/** The largest form, in bytes. */
export const MAX_FORM_BYTES = 1_000_000;

/** How long a page waits for the answer of a workflow. */
const ANSWER_MS = 10_000;

/** How long the page of a run waits for the names that its forms offer. */
const HANDLERS_MS = 500;

type Action = Exclude<InspectorAction, "view">;

/** What a form sends: texts by name. */
type Fields = URLSearchParams;

/** One kind of action. */
interface Kind {
  /** What its button says. */
  readonly label: string;
  /** What the page of the run says when it is done. */
  readonly done: string;
  /** Fields: the name of what is sent, its value, a reason. */
  readonly fields: readonly ("name" | "payload" | "arguments" | "reason")[];
  /** What happens, for those who are about to do it. */
  readonly hint: string;
  /** Does it. Resolves with the answer, if there is one. */
  perform(executor: Executor, id: string, fields: Fields, signal: AbortSignal): Promise<unknown>;
}

const KINDS: Readonly<Record<Action, Kind>> = {
  signal: {
    label: "Signal",
    done: "The signal is stored.",
    fields: ["name", "payload"],
    hint: "It is stored at once. The workflow reads it when it waits for a signal of this name.",
    perform: (executor, id, fields) =>
      executor.signal(id, nameIn(fields), readJson(fields, "payload"), {
        signalId: idIn(fields),
        senderId: "inspector",
      }),
  },
  update: {
    label: "Update",
    done: "The update is answered: its answer is in the history.",
    fields: ["name", "payload"],
    hint: "The workflow validates the input, and answers.",
    perform: (executor, id, fields, signal) =>
      executor.update(id, nameIn(fields), readJson(fields, "payload"), { updateId: idIn(fields), signal }),
  },
  query: {
    label: "Query",
    done: "",
    fields: ["name", "arguments"],
    hint: "It changes nothing.",
    perform(executor, id, fields) {
      const args = readJson(fields, "arguments") ?? [];
      if (!Array.isArray(args)) throw new TypeError(`Cannot read the arguments: want a list such as ["total", 3]`);
      return executor.query(id, nameIn(fields), ...args);
    },
  },
  cancel: {
    label: "Cancel",
    done: "The workflow is asked to end.",
    fields: ["reason"],
    hint: "The waits of the workflow reject, it cleans up, and its compensations run.",
    perform: (executor, id, fields) => executor.cancel(id, fields.get("reason") || undefined),
  },
  terminate: {
    label: "Terminate",
    done: "The workflow is terminated.",
    fields: ["reason"],
    hint: "The run ends at once. Its code does not run any more: no cleanup, no compensations.",
    perform: (executor, id, fields) => executor.terminate(id, fields.get("reason") || undefined),
  },
};

/** What a POST to `?id=ID&do=ACTION` wants. The guard has let it through, and `authorize` has not been asked yet. */
export async function handleAction(
  request: Request,
  settings: Settings,
  guard: Guard,
  reader: Reader,
): Promise<Response> {
  const { executor } = settings;
  const parameters = new URL(request.url).searchParams;
  const [given, action] = [parameters.get("id") ?? "", parameters.get("do") ?? ""];
  if (given === "" || !isAction(action)) return errorPage(settings, 404, "Not found", "There is no such action.");
  const id = decodeId(given);
  if (!settings.actions || executor === undefined) {
    return errorPage(
      settings,
      403,
      "Read-only",
      'This inspector only shows workflows: it was made without "actions: true".',
    );
  }
  const refused = await guard.authorize(request, action, id);
  if (refused) return refused;
  const fields = await readForm(request);
  if (fields instanceof Refusal) return errorPage(settings, fields.status, "Not accepted", fields.message);
  if (!await guard.isToken(fields.get("token") ?? "", id)) {
    const run = markup`<a href="${link({ id })}">Load the workflow</a>`;
    const text = ["This form is not of a page that this process made for this workflow. ", run, ", and try again."];
    return errorPage(settings, 403, "Not accepted", text);
  }
  const first = fields.get("run") ?? "";
  const now = first === "" || action === "query" ? null : await reader.head(id);
  if (now !== null && now.firstRunId !== first) {
    const run = markup`<a href="${link({ id })}">Load the workflow</a>`;
    const text = ["The workflow of this form has ended, and another one has its ID by now. ", run, "."];
    return errorPage(settings, 409, "Not accepted", text);
  }
  const { done, perform } = KINDS[action];
  const outcome = await settle((signal) => perform(executor, id, fields, signal));
  if ("error" in outcome) {
    const status = codeOf(outcome.error) === "not_found" ? 404 : 422;
    // The next try is another message, unless this one may still be answered.
    if (!(outcome.error instanceof LateError)) fields.delete("messageId");
    const error = redactValue(settings.redact, outcome.error, { ...await placeOf(executor, id), property: "error" });
    if (wantsJson(request)) return jsonOutcome(status, error, undefined);
    const shown = typeof error === "string" ? error : showError(error);
    const text = markup`<div class="banner bad" role="alert">${icon("warning")}<div>${shown}</div></div>`;
    return await actionPage(status, action, id, fields, text, settings, guard);
  }
  if (wantsJson(request)) {
    const where = { ...await placeOf(executor, id), property: "answer", name: nameIn(fields) };
    return jsonOutcome(200, undefined, redactValue(settings.redact, outcome.value, where));
  }
  if (action === "query") {
    const answer = await shownAnswer(executor, id, nameIn(fields), outcome.value, settings);
    const text =
      markup`<section class="card form"><header><h2>Answer</h2></header><div class="value answer">${answer}</div></section>`;
    return await actionPage(200, action, id, fields, text, settings, guard);
  }
  return new Response(done, { status: 303, headers: { location: link({ id, done: action }) } });
}

/** What the page of a run says after an action; empty if it was not reached by one. */
export function actionNotice(parameters: URLSearchParams, settings: Settings): Html {
  const action = parameters.get("done") ?? "";
  return settings.actions && isAction(action) && action !== "query"
    ? markup`<div class="banner info" role="status">${icon("completed")}<div>${KINDS[action].done}</div></div>`
    : markup``;
}

/**
 * The buttons and forms of a run, at the top right of its page; empty without `actions`. Each is a
 * `<details class="menu"><summary class="button">Signal…</summary><div class="panel">…</div></details>`.
 */
export async function actionMenus(head: WorkflowHead, settings: Settings, guard: Guard): Promise<Html> {
  if (!settings.actions) return markup``;
  const { workflowId, firstRunId, status } = head;
  const actions = (Object.keys(KINDS) as Action[]).filter((action) => status === "running" || action === "query");
  const [token, handlers] = await Promise.all([guard.token(workflowId), handlersOf(settings.executor!, workflowId)]);
  const menu = (action: Action) =>
    markup`<details class="menu" data-key="menu-${action}"><summary class="button">${KINDS[action].label}…</summary>
<div class="panel">${
      form(action, workflowId, token, handlers, new URLSearchParams({ run: firstRunId }))
    }</div></details>`;
  return markup`${actions.map(menu)}`;
}

/** The page with the form of an action, and what came of it. */
async function actionPage(
  status: number,
  action: Action,
  id: string,
  fields: Fields,
  text: Content,
  settings: Settings,
  guard: Guard,
): Promise<Response> {
  const title = `${KINDS[action].label} ${id}`;
  const shown = form(action, id, await guard.token(id), await handlersOf(settings.executor!, id), fields);
  const main =
    markup`<nav class="crumbs" aria-label="Where you are"><a href="?">All runs</a><span class="dim">/</span><a data-up href="${
      link({ id })
    }">${id}</a></nav>
<div class="head"><h1>${
      KINDS[action].label
    } <span class="id">${id}</span></h1></div>${text}<section class="card form">${shown}</section>`;
  return respond({ title, main }, settings, status);
}

/** @param sent What was sent before, if the form is shown again; the first run of the chain. */
function form(action: Action, id: string, token: string, handlers: WorkflowHandlers, sent: Fields): Html {
  const { label, fields, hint } = KINDS[action];
  const prefix = `${action}-`;
  const field = (name: Kind["fields"][number]): Html => {
    const value = sent.get(name) ?? "";
    if (name === "name") {
      const names = namesFor(action, handlers);
      const only = names.length === 1 ? names[0] : "";
      return markup`<label>Name<input name="name" value="${
        sent.get(name) ?? only
      }" required autocomplete="off" list="${prefix}names"></label>
<datalist id="${prefix}names">${names.map((name) => markup`<option value="${name}"></option>`)}</datalist>`;
    }
    if (name === "reason") {
      return markup`<label>Reason<input name="reason" value="${value}" autocomplete="off"></label>`;
    }
    const title = name === "payload" ? (action === "update" ? "Input" : "Payload") : "Arguments";
    const example = name === "payload" ? `{ "approved": true }` : `["total", 3]`;
    return markup`<label>${title}, as JSON<textarea name="${name}" rows="3" spellcheck="false" placeholder="${example}">
${value}</textarea></label>`;
  };
  const messageId = sent.get("messageId") ?? randomId();
  return markup`<form method="post" action="${link({ id, do: action })}">
<input type="hidden" name="token" value="${token}"><input type="hidden" name="messageId" value="${messageId}">
<input type="hidden" name="run" value="${sent.get("run") ?? ""}">
${fields.map(field)}<p class="hint">${hint}</p>
<button${action === "terminate" && markup` class="danger"`}>${label}</button></form>`;
}

function namesFor(action: Action, { signals, updates, queries }: WorkflowHandlers): readonly string[] {
  return action === "signal" ? signals : action === "update" ? updates : queries;
}

/** What the code of a run handles, if it is live here: any other run would be replayed for the answer. */
async function handlersOf(executor: Executor, id: string): Promise<WorkflowHandlers> {
  const none = { signals: [], updates: [], queries: [] };
  if (!executor.openRuns().some(({ workflowId }) => workflowId === id)) return none;
  const asked = await settle(() => executor.query<WorkflowHandlers>(id, "handlers"), HANDLERS_MS);
  return "value" in asked ? asked.value as WorkflowHandlers : none;
}

/** The answer of a query, as a tree. */
async function shownAnswer(
  executor: Executor,
  id: string,
  name: string,
  answer: unknown,
  { redact }: Settings,
): Promise<Html> {
  const where = { ...await placeOf(executor, id), property: "answer", name };
  return valueTree(redactValue(redact, answer, where)).html;
}

/** Where a value of a workflow is from, for `redact`. */
async function placeOf(executor: Executor, workflowId: string): Promise<{ workflowId: string; workflowName: string }> {
  const described = await settle(() => executor.describe(workflowId));
  return { workflowId, workflowName: "value" in described ? described.value.workflowName : "" };
}

function isAction(text: string): text is Action {
  return Object.hasOwn(KINDS, text);
}

/** A form that is not read. */
class Refusal {
  readonly status: number;
  readonly message: string;
  constructor(status: number, message: string) {
    this.status = status;
    this.message = message;
  }
}

async function readForm(request: Request): Promise<Fields | Refusal> {
  const type = request.headers.get("content-type")?.split(";")[0].trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") return new Refusal(415, "A POST must be a form of the pages.");
  if (request.bodyUsed) {
    throw new TypeError('Cannot read the form: "authorize" has read it; let it read request.clone()');
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader!.read()) {
    size += part.value.length;
    if (size > MAX_FORM_BYTES) {
      await reader!.cancel();
      return new Refusal(413, `A form has at most ${MAX_FORM_BYTES} bytes.`);
    }
    parts.push(part.value);
  }
  return new URLSearchParams(await new Blob(parts as BlobPart[]).text());
}

function nameIn(fields: Fields): string {
  return fields.get("name") ?? "";
}

/** The ID of the message, as this module made it. */
function idIn(fields: Fields): string | undefined {
  const id = fields.get("messageId") ?? "";
  return /^[0-9a-f-]{36}$/.test(id) ? id : undefined;
}

/** The value that a field has as JSON; `undefined` if it is empty. */
function readJson(fields: Fields, name: string): unknown {
  const text = (fields.get(name) ?? "").trim();
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    const way = /^[[{"\d-]/.test(text) ? "" : `; a text needs quotes: ${show(text)}`;
    throw new TypeError(`Cannot read the ${name}: it is not JSON: ${(error as Error).message}${way}`);
  }
}

/** A workflow takes too long for a page. */
class LateError extends Error {}

/** Waits for what an action comes to, but not for ever. */
async function settle<T>(
  act: (signal: AbortSignal) => Promise<T>,
  limitMs = ANSWER_MS,
): Promise<{ readonly value: T } | { readonly error: unknown }> {
  const late = new AbortController();
  let clear!: () => void;
  const timeout = new Promise<never>((_, reject) => {
    clear = systemClock.setTimer(systemClock.now() + limitMs, () => {
      const error = new LateError(`The workflow has not answered within ${limitMs / 1000} s`);
      late.abort(error);
      reject(error);
    });
  });
  try {
    return { value: await Promise.race([act(late.signal), timeout]) };
  } catch (error) {
    return { error };
  } finally {
    clear();
  }
}
