/**
 * What a run waits for, in words with links.
 *
 * @module
 */

import type { OpenWait } from "../pictures/mod.ts";
import { type Content, type Html, markup } from "./html.ts";
import { link } from "./links.ts";
import { duration } from "./times.ts";

/** What a run waits for, as the end of a sentence. `isShort`: for a row of the list, without links. */
export function describeWaits(waits: readonly OpenWait[], now: number, isShort: boolean): Html | undefined {
  const children = waits.filter(({ type }) => type === "child");
  const isMany = isShort && children.length > 1 || children.length > 8;
  const parts: Content[] = waits.filter((wait) => !(isMany && wait.type === "child")).slice(0, isShort ? 3 : 12)
    .map((wait) => describe(wait, now, isShort));
  if (isMany) parts.push(markup`<b>${children.length}</b> children`);
  if (parts.length === 0) return undefined;
  const joined = parts.map((part, i) => [i === 0 ? "" : i === parts.length - 1 && !isShort ? " and " : ", ", part]);
  return markup`${isShort ? "waits for " : "Waits for "}${joined}`;
}

function describe(wait: OpenWait, now: number, isShort: boolean): Html {
  const limit = wait.until !== undefined && markup`, at most <b>${duration(wait.until - now)}</b> more`;
  switch (wait.type) {
    case "signal":
      return markup`signal <b>${wait.name}</b>${limit}`;
    case "timer":
      return markup`a timer ${due(wait.dueAt, now)}`;
    case "activity": {
      const { name, attempt, status, retryAt } = wait;
      const when = status === "retrying" && retryAt !== undefined
        ? markup` ${due(retryAt, now)}`
        : status === "queued" && " in a queue";
      return markup`activity <b>${name}</b>${attempt > 1 && `, attempt ${attempt}`}${when}${
        wait.canceled && ", canceled"
      }`;
    }
    case "child": {
      const { workflowId, retryAt } = wait;
      const id = isShort ? workflowId : markup`<a href="${link({ id: workflowId })}">${workflowId}</a>`;
      return markup`child <b>${id}</b>${retryAt !== undefined && markup`, again ${due(retryAt, now)}`}`;
    }
    case "condition":
      return markup`a condition${limit}`;
    case "slot":
      return markup`a slot of <b>maxConcurrentWorkflows</b>`;
    case "dormant":
      return markup`its next event, dormant${wait.wakesAt !== undefined && markup`, wakes ${due(wait.wakesAt, now)}`}`;
    case "start":
      return markup`its start ${due(wait.startAt, now)}`;
  }
}

function due(at: number, now: number): Html {
  return at > now ? markup`<b>in ${duration(at - now)}</b>` : markup`<b>due</b>`;
}
