/**
 * What the query handlers of a run answer, as of the events that are shown.
 *
 * A live run answers from its variables. Any other is replayed: nothing is performed, nothing is written.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { OpenRun, WorkflowHandlers } from "../options.ts";
import type { WorkflowState } from "../types.ts";
import { grouped, showError } from "../util/show_value.ts";
import { type Content, type Html, markup } from "./html.ts";
import { redactValue } from "./redact.ts";
import type { RunView } from "./run_view.ts";
import type { Settings } from "./settings.ts";
import { valueTree } from "./value.ts";

const MAX_QUERIES = 20;
/** A longer history is replayed only if somebody asks for it: a replay takes time in proportion to it. */
const MAX_REPLAYED = 5_000;
/** For how long a page waits for the answers. */
const ANSWER_MS = 2_000;

/** The answers. `stored`: the state that is shown, not redacted. `open`: what the executor says about the run, if it is live there. */
export async function queryCard(
  stored: WorkflowState,
  open: OpenRun | undefined,
  view: RunView,
  settings: Settings,
): Promise<Html> {
  const { executor, redact } = settings;
  const { workflowId, workflowName, runId, history } = stored;
  if (executor === undefined) return unknown();
  const [started] = history;
  if (started?.type === "workflow_started" && started.startAt !== undefined && started.startAt > settings.now()) {
    return card(note("Its code has not begun."));
  }
  const isLive = open?.runId === runId && view.at === undefined;
  if (!isLive && history.length > MAX_REPLAYED && !view.replays) {
    const ask = markup`<a class="button" href="${view.link({ replay: 1 })}">Replay ${
      grouped(history.length)
    } events for the answers</a>`;
    return card(note(ask));
  }
  const query = <T>(name: string): Promise<T> =>
    within<T>(
      isLive ? executor.query(workflowId, name) as Promise<T> : executor.queryState(stored, name) as Promise<T>,
    );
  let names: readonly string[];
  try {
    names = (await query<WorkflowHandlers>("handlers")).queries;
  } catch (error) {
    return codeOf(error) === "unknown_workflow" ? unknown() : card(note(showError(error)));
  }
  if (names.length === 0) return markup``;
  return card(
    await Promise.all(
      names.slice(0, MAX_QUERIES).map(async (name) => {
        try {
          const where = { workflowId, workflowName, property: "answer", name };
          return answer(name, valueTree(redactValue(redact, await query(name), where)).html);
        } catch (error) {
          const where = { workflowId, workflowName, property: "error", name };
          const shown = redactValue(redact, error, where);
          return answer(name, markup`<p class="bad">${typeof shown === "string" ? shown : showError(shown)}</p>`);
        }
      }),
    ),
  );
}

/** Waits for an answer, but not for ever: handlers are code of users. */
async function within<T>(answer: Promise<T>): Promise<T> {
  let clear = () => {};
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`No answer within ${ANSWER_MS / 1000} s`);
    clear = systemClock.setTimer(systemClock.now() + ANSWER_MS, () => reject(error));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clear();
  }
}

function card(content: Content): Html {
  return markup`<section class="card" data-key="queries"><header><h2>Answers of its queries</h2></header>${content}</section>`;
}

function note(content: Content): Html {
  return markup`<p class="value dim">${content}</p>`;
}

/** The card of a run whose code is not here. */
function unknown(): Html {
  return card(
    note(
      markup`Its code answers them here: an <code>executor</code> that knows the workflow, or <code>serve --code FILE</code> of the command line.`,
    ),
  );
}

function answer(name: string, content: Html): Html {
  return markup`<div class="value"><h3>${name}</h3>${content}</div>`;
}
