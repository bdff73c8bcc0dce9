/**
 * Where the time of a run went: a bar that is divided into shares, and their names.
 *
 * @module
 */

import type { Share } from "../pictures/mod.ts";
import { type Html, markup } from "./html.ts";
import { duration } from "./times.ts";

const CLASSES: Readonly<Record<Share["what"], string>> = {
  "activities": "activity",
  "children": "child",
  "retry delays": "retry",
  "start delay": "delay",
  "waits for signals": "signal",
  "waits for conditions": "condition",
  "timers": "timer",
  "other waits": "wait",
};

/** The bar. */
export function shareBar(shares: readonly Share[]): Html {
  const total = shares.reduce((sum, { ms }) => sum + ms, 0);
  if (total === 0) return markup`<span class="hidden">no time</span>`;
  let x = 0;
  const parts = shares.map(({ what, ms, percent }) => {
    const width = ms / total * 100;
    const part = markup`<rect class="f-${classOf(what)}" x="${round(x)}%" width="${
      round(width)
    }%" height="8"><title>${what} ${duration(ms)}${percent !== "" && ` · ${percent}`}</title></rect>`;
    x += width;
    return part;
  });
  const label = shares.map(({ what, ms }) => `${what} ${duration(ms)}`).join(", ");
  return markup`<svg class="shares" height="8" role="img" aria-label="${label}">${parts}</svg>`;
}

/** The bar and its legend. */
export function shareLegend(shares: readonly Share[]): Html {
  if (shares.length === 0) return markup``;
  return markup`<div class="where">${shareBar(shares)}<ul class="legend">${
    shares.map(({ what, ms, percent }) =>
      markup`<li><i class="b-${classOf(what)}"></i>${what} ${duration(ms)}${percent !== "" && ` · ${percent}`}</li>`
    )
  }</ul></div>`;
}

function classOf(what: Share["what"]): string {
  return CLASSES[what] ?? "wait";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
