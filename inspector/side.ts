/**
 * The cards beside the timeline of a run: input, result, children, and the facts of the run.
 *
 * @module
 */

import { isSpan } from "../pictures/mod.ts";
import type { WorkflowHead, WorkflowStartedEvent, WorkflowState } from "../types.ts";
import { grouped } from "../util/show_value.ts";
import { valueBlock } from "./event_panel.ts";
import type { Events } from "./events.ts";
import { type Content, type Html, markup } from "./html.ts";
import { statusPill } from "./layout.ts";
import { link } from "./links.ts";
import type { RunView } from "./run_view.ts";
import { shortId } from "./timeline.ts";
import { duration, time } from "./times.ts";
import { valueTree } from "./value.ts";

const MAX_CHILDREN = 100;

/** The input and the result. */
export function valueCards({ input, result, status }: WorkflowState, view: RunView): Html {
  const card = (title: string, value: unknown, of: string) =>
    markup`<section class="card" data-key="${of}">${
      valueBlock(title, valueTree(value), view, undefined, of)
    }</section>`;
  return markup`${input !== undefined && card("Input", input, "input")}${
    status === "completed" && card("Result", result, "result")
  }`;
}

/** The children, and how they are according to this history. */
export function childrenCard(events: Events, id: string): Html {
  const children = events.run.things.flatMap((thing) => {
    const event = events.history[thing.from.index];
    return isSpan(thing) && event?.type === "child_started" ? [{ thing, event }] : [];
  });
  if (children.length === 0) return markup``;
  const items = children.slice(0, MAX_CHILDREN).map(({ thing: { outcome }, event: { workflowId, name } }) => {
    const status = outcome === "done"
      ? "completed"
      : outcome === "failed"
      ? "failed"
      : outcome === "left"
      ? "canceled"
      : "running";
    return markup`<li>${statusPill(status, true)} <a class="id" title="${workflowId}" href="${
      link({ id: workflowId })
    }">${shortId(workflowId, id)}</a> <span class="dim">${name}</span></li>`;
  });
  const more = children.length > MAX_CHILDREN &&
    markup`<li class="dim">… ${grouped(children.length - MAX_CHILDREN)} more</li>`;
  return markup`<section class="card" data-key="children"><header><h2>Children</h2><span class="right dim">${
    grouped(children.length)
  }</span></header><ul class="children">${items}${more}</ul></section>`;
}

/** IDs, times, limits, and where the run comes from. */
export function runCard(state: WorkflowState, { parent, firstRunId }: WorkflowHead): Html {
  const { runId, createdAt, updatedAt, history } = state;
  const { timeoutMs, deadlineAt, startAt, headers, maxPayloadBytes, workflowVersion } = (history[0] ?? {}) as Partial<
    WorkflowStartedEvent
  >;
  const fact = (name: string, value: Content) => markup`<dt>${name}</dt><dd>${value}</dd>`;
  return markup`<section class="card" data-key="run"><header><h2>Run</h2></header><dl class="facts">
${fact("Run ID", markup`<span class="mono">${runId}</span>`)}
${
    parent !== undefined &&
    fact(
      "Parent",
      markup`<a class="id" href="${
        link({ id: parent.workflowId })
      }">${parent.workflowId}</a> <span class="dim">position ${parent.seq}${
        parent.attempt !== undefined && `, attempt ${parent.attempt}`
      }; if it ends: ${parent.closePolicy}</span>`,
    )
  }
${
    firstRunId !== runId &&
    fact(
      "First run",
      markup`<span class="mono">${firstRunId}</span> <span class="dim">earlier runs of the chain are not in the store</span>`,
    )
  }
${fact("Created", time(createdAt))}${fact("Updated", time(updatedAt))}
${startAt !== undefined && fact("Starts", time(startAt))}${
    timeoutMs !== undefined && fact("Timeout", duration(timeoutMs))
  }
${deadlineAt !== undefined && fact("Deadline", time(deadlineAt))}${
    workflowVersion !== undefined && fact("Version", workflowVersion)
  }
${maxPayloadBytes !== undefined && fact("Largest payload", `${grouped(maxPayloadBytes)} bytes`)}
${
    headers !== undefined &&
    fact("Headers", Object.entries(headers).map(([name, text]) => markup`<div class="mono">${name}: ${text}</div>`))
  }
</dl></section>`;
}
