/**
 * The marks of a picture: a line across the plot, and its text above.
 *
 * The texts stand beside their lines. If they would touch each other or leave the picture, the lines have numbers, and the texts are a
 * list.
 *
 * @module
 */

import type { Flag } from "./layout.ts";
import { type Block, type Columns, flow, LINE, MARGIN, pixelsOf, round, SMALL, stroke, text } from "./paint.ts";

const MAX_FLAG_ROWS = 4;
/** How many marks are named. */
const MAX_FLAGS = 20;

/** The marks above the plot: their texts beside their lines, or numbers if there is no room, and the texts before them. */
export function flagsText(
  flags: readonly Flag[],
  y: number,
  columns: Columns,
): { list: Block; stems: (y: number) => Block } {
  const placed = placeFlags(flags, ({ text }) => pixelsOf(text, SMALL, "bold") + 1, columns);
  if (placed !== undefined) return { list: { parts: [], to: y }, stems: (y) => flagStems(placed, y) };
  const shown = flags.slice(0, MAX_FLAGS);
  const list = flow(
    shown.map(({ text }) => ({ content: text, color: "text" })),
    y,
    columns.width - MARGIN,
    (i, x, y) => text(`${i + 1}`, x + 12, y + 9, 16, { size: SMALL, weight: "bold", anchor: "end" }),
  );
  const numbers = shown.map(({ x }, i) => ({ x, text: `${i + 1}` }));
  return { list, stems: (y) => flagStems(placeFlags(numbers, () => 16, columns, Infinity) ?? numbers.map(unnamed), y) };
}

/** A mark in a row of its own. */
interface PlacedFlag extends Flag {
  readonly width: number;
  readonly isRight: boolean;
  readonly row: number;
}

/** Puts the texts of marks beside their lines, so that nothing touches; `undefined` if there is no room. */
function placeFlags(
  flags: readonly Flag[],
  measure: (flag: Flag) => number,
  { width }: Columns,
  maxRows = MAX_FLAG_ROWS,
): PlacedFlag[] | undefined {
  const placed: PlacedFlag[] = [];
  const boxOf = ({ x, width, isRight }: PlacedFlag) => isRight ? [x + 3, x + width + 10] : [x - width - 10, x - 3];
  const touches = (a: PlacedFlag, b: PlacedFlag): boolean => {
    const [from, to] = boxOf(a);
    if (a.row > b.row) return b.x >= from && b.x <= to; // the line of the other one passes
    if (a.row < b.row) return false;
    const [otherFrom, otherTo] = boxOf(b);
    return otherFrom <= to && from <= otherTo || b.x >= from && b.x <= to;
  };
  for (const flag of flags) {
    const needed = measure(flag);
    const sides = [flag.x + 6 + needed <= width - MARGIN, flag.x - 6 - needed >= MARGIN];
    let free: PlacedFlag | undefined;
    for (let row = 0; row < Math.min(maxRows, placed.length + 1) && free === undefined; row++) {
      free = [true, false].filter((isRight) => sides[isRight ? 0 : 1])
        .map((isRight): PlacedFlag => ({ ...flag, width: needed, isRight, row }))
        .find((flag) => !placed.some((other) => touches(flag, other) || touches(other, flag)));
    }
    if (free === undefined) return undefined;
    placed.push(free);
  }
  return placed;
}

/** A mark whose line has no text: too many are beside each other. */
function unnamed({ x }: Flag): PlacedFlag {
  return { x, text: "", width: 0, isRight: true, row: 0 };
}

function flagStems(placed: readonly PlacedFlag[], y: number): Block {
  const rows = placed.reduce((rows, { row }) => Math.max(rows, row + 1), 0);
  const to = y + rows * LINE;
  const parts = placed.map(({ x, text: content, width, isRight, row }) => {
    const at = y + row * LINE;
    const style = { size: SMALL, weight: "bold", anchor: isRight ? "start" : "end" } as const;
    return `<path d="M${round(x)} ${at}V${to}" stroke-width="1.5" ${stroke("text")}/>` +
      text(content, x + (isRight ? 6 : -6), at + 10, width, style);
  });
  return { parts, to };
}
