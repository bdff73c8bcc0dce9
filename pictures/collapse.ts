/**
 * Decides which lines of a long list are shown when there is no room for all of them.
 *
 * 1. There are never more lines than there is room for, including the lines that stand for omitted items.
 * 2. The first and the last items of every kind are shown first. Among items of the same rank, those near the ends are shown
 *    first.
 *
 * @module
 */

/** An item of the list: one line, or several that belong together. */
export interface Item {
  /** Items with the same key are of the same kind. */
  readonly key: string;
  /** How many lines it takes. */
  readonly height: number;
}

/** A part of the list, from `from` to before `to`: one item that is shown, or several that are omitted. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly shown: boolean;
}

/** Chooses the items to show. Each group of omitted items takes one line. */
export function collapse(items: readonly Item[], room: number): Piece[] {
  const counts = new Map<string, number>();
  const nth = items.map(({ key }) => {
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    return count;
  });
  const rank = (i: number) => Math.min(nth[i], counts.get(items[i].key)! - 1 - nth[i]);
  const distance = (i: number) => Math.min(i, items.length - 1 - i);
  const order = items.map((_, i) => i).sort((a, b) => rank(a) - rank(b) || distance(a) - distance(b));

  const pieces = (count: number): Piece[] => {
    const kept = new Set(order.slice(0, count));
    const pieces: Piece[] = [];
    for (let from = 0; from < items.length;) {
      let to = from;
      while (to < items.length && !kept.has(to)) to++;
      // An item of one line is shown, because the line that stands for it would take as much room.
      if (to === from || (to === from + 1 && items[from].height === 1)) pieces.push({ from, to: ++from, shown: true });
      else pieces.push({ from, to: from = to, shown: false });
    }
    return pieces;
  };
  const fits = (pieces: Piece[]) =>
    pieces.reduce((sum, { from, shown }) => sum + (shown ? items[from].height : 1), 0) <= room;

  let [best, fewest, most] = [pieces(0), 0, items.length];
  while (fewest <= most) {
    const count = fewest + most + 1 >> 1;
    const tried = pieces(count);
    if (fits(tried)) [best, fewest] = [tried, count + 1];
    else most = count - 1;
  }
  return best;
}
