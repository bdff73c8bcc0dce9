/**
 * When runs were started: bars that lead to the runs of that time.
 *
 * @module
 */

import type { WorkflowHead, WorkflowStatus } from "../types.ts";
import { grouped } from "../util/show_value.ts";
import { type Html, markup } from "./html.ts";
import { duration } from "./times.ts";

const BARS = 60;
const HEIGHT = 44;
const ORDER: readonly WorkflowStatus[] = ["completed", "canceled", "running", "failed"];

/** Draws the starts of runs. `linkOf` gives the address of the runs that were created between two times. */
export function histogram(
  heads: readonly WorkflowHead[],
  now: number,
  linkOf: (after: number, before: number) => string,
): Html {
  const times = heads.map(({ createdAt }) => createdAt);
  const first = Math.min(...times);
  const last = Math.max(now, ...times);
  if (!(last > first)) return markup``;
  const step = (last - first) / BARS;
  const bars = Array.from({ length: BARS }, () => ({ completed: 0, canceled: 0, running: 0, failed: 0 }));
  for (const { createdAt, status } of heads) bars[Math.min(BARS - 1, Math.floor((createdAt - first) / step))][status]++;
  const most = Math.max(...bars.map((bar) => ORDER.reduce((sum, status) => sum + bar[status], 0)));
  const unit = Math.min(12, HEIGHT / most);
  const shapes = bars.map((bar, i) => {
    let y = HEIGHT;
    const parts = ORDER.filter((status) => bar[status] > 0).map((status) => {
      const height = bar[status] * unit;
      y -= height;
      const box = markup`x="${percent((i + 0.08) / BARS)}" width="${percent(0.84 / BARS)}" y="${round(y)}" height="${
        round(height)
      }"`;
      return markup`<rect class="f-${status}" ${box}/>`;
    });
    if (parts.length === 0) return "";
    const title = ORDER.filter((status) => bar[status] > 0).map((status) => `${bar[status]} ${status}`).join(", ");
    const from = first + i * step;
    // The limits of a range do not belong to it.
    const to = linkOf(Math.floor(from) - 1, Math.ceil(from + step) + 1);
    return markup`<a href="${to}" tabindex="-1"><title>${title}</title>${parts}</a>`;
  });
  return markup`<figure class="histogram"><svg height="${HEIGHT}" role="img" aria-label="When these runs were started">${shapes}</svg>
<figcaption><span>${duration(now - first)} ago</span><span>the starts of these ${
    grouped(heads.length)
  } runs</span><span>now</span></figcaption></figure>`;
}

function percent(share: number): string {
  return `${round(share * 100)}%`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
