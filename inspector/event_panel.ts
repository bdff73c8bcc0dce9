/**
 * One event in full: its times, what it belongs to, its values with their types, the attempts.
 *
 * @module
 */

import type { ErrorRecord, WorkflowEvent } from "../types.ts";
import { type Asked, colorOf, type Events, factsOf, typeText, VALUES } from "./events.ts";
import { type Html, markup } from "./html.ts";
import { icon } from "./layout.ts";
import { link } from "./links.ts";
import type { RunView } from "./run_view.ts";
import { travelLink } from "./timeline.ts";
import { duration, since, time } from "./times.ts";
import { errorTree, type Tree, valueTree } from "./value.ts";

/** The panel of the chosen event. */
export function eventPanel(events: Events, view: RunView): Html {
  const { event: number } = view;
  if (number === undefined) return markup``;
  const event = events.history[number - 1];
  const asked = events.askedBy(event);
  const span = events.spanOf(number - 1);
  const step = (to: number, name: string, text: string) =>
    to < 1 || to > events.history.length
      ? markup`<span class="button square" aria-disabled="true">${icon(name)}</span>`
      : markup`<a class="button square" aria-label="${text}" href="${view.link({ e: to, page: undefined })}#e${to}">${
        icon(name)
      }</a>`;
  const took = span &&
    markup`<dt>Took</dt><dd>${span.outcome === "open" ? "not over yet" : duration(span.to.at - span.from.at)}${
      span.attempts.length > 1 && `, ${span.attempts.length} attempts`
    } <span class="dim">(${
      span.outcome === "open"
        ? `from event ${span.from.index + 1}`
        : `events ${span.from.index + 1} to ${span.to.index + 1}`
    })</span></dd>`;
  return markup`<section class="card event" id="event" data-key="event"><header><h2>Event ${number}</h2><b class="title">
<svg class="dot" aria-hidden="true"><rect class="f-${colorOf(event)}" width="8" height="8" rx="2"/></svg>${
    typeText(event.type)
  }</b>
<span class="right">${step(number - 1, "left", "The event before")}${
    step(number + 1, "right", "The next event")
  }<a class="button square"
 aria-label="Close" href="${view.link({ e: undefined })}">${icon("close")}</a></span></header>
<dl class="facts"><dt>At</dt><dd>${time(event.at)} <span class="dim mono">${
    since(event.at - events.startedAt)
  }</span></dd>
${events.nameOf(event) !== undefined && !("name" in event) && markup`<dt>name</dt><dd>${events.nameOf(event)}</dd>`}
${
    factsOf(event).map(([name, text]) =>
      markup`<dt>${name}</dt><dd>${
        name === "workflowId" ? markup`<a href="${link({ id: text })}">${text}</a>` : text
      }</dd>`
    )
  }${took}</dl>
${asked && inputOf(asked, events, view)}
${valuesOf(event, number, view)}
${span && span.attempts.length > 1 && attemptList(span.attempts, events)}
<p class="foot"><a class="button" href="${travelLink(view, number)}">${
    icon("clock")
  } See the run as of this event</a></p></section>`;
}

/** The input of what an event answers. */
function inputOf(asked: Asked, events: Events, view: RunView): Html | false {
  const { input } = asked as { readonly input?: unknown };
  if (input === undefined) return false;
  return valueBlock("Input", valueTree(input), view, events.history.indexOf(asked) + 1, "input");
}

function valuesOf(event: WorkflowEvent, number: number, view: RunView): Html[] {
  return VALUES.filter((name) => (event as unknown as Record<string, unknown>)[name] !== undefined).map((name) => {
    const value = (event as unknown as Record<string, unknown>)[name];
    const tree = name === "error" ? errorTree(value as ErrorRecord) : valueTree(value);
    return valueBlock(
      name === "heartbeatDetails" ? "Details of the last heartbeat" : capital(name),
      tree,
      view,
      number,
      name,
    );
  });
}

/** A value under a heading. If it is cut, with a link to all of it. */
export function valueBlock(title: string, tree: Tree, view: RunView, event: number | undefined, of: string): Html {
  const whole = link({ id: view.id, e: event, at: view.at, of, export: "value" });
  return markup`<div class="value"><h3>${title}</h3>${tree.html}${
    tree.isCut && markup`<a class="button" href="${whole}">${icon("down")} The whole value</a>`
  }</div>`;
}

function attemptList(
  attempts: readonly {
    readonly number: number;
    readonly from: { readonly at: number };
    readonly to: { readonly at: number } | undefined;
    readonly error: ErrorRecord | undefined;
  }[],
  { startedAt }: Events,
): Html {
  return markup`<div class="value"><h3>Attempts</h3><ol class="attempts">${
    attempts.map(({ number, from, to, error }) =>
      markup`<li><b>${number}</b> <span class="mono dim">${since(from.at - startedAt)}</span> ${
        to === undefined ? "not over yet" : duration(to.at - from.at)
      }${error && errorTree(error).html}</li>`
    )
  }</ol></div>`;
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}
