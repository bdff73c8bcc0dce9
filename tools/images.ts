/**
 * Draws the pictures of the README, in `docs/images/`: the last order of the demo, with the death of its executor and the
 * recovery, for wide and for narrow pages. `tests/images_test.ts` checks that the files are what this draws.
 *
 * @module
 */

import { toSvg } from "@rockpool/workflow/pictures";
import { readOrders } from "../examples/read_orders.ts";
import { playStory } from "../examples/story.ts";

const root = new URL("../", import.meta.url);

/** The widths in pixels, by file. */
const WIDTHS = { "docs/images/run.svg": 880, "docs/images/run-narrow.svg": 400 } as const;

/** Draws each file. */
export async function drawImages(): Promise<Record<keyof typeof WIDTHS, string>> {
  const { orders } = await playStory(await readOrders(new URL("examples/orders.json", root)));
  const { state, marks } = orders.at(-1)!;
  const files = Object.entries(WIDTHS).map(([file, width]) => [file, `${toSvg(state, { marks, width })}\n`]);
  return Object.fromEntries(files);
}

if (import.meta.main) {
  for (const [file, text] of Object.entries(await drawImages())) {
    await Deno.mkdir(new URL(".", new URL(file, root)), { recursive: true });
    await Deno.writeTextFile(new URL(file, root), text);
  }
}
