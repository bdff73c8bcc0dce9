/**
 * Decides which lines of a long list are shown when there is no room for all.
 *
 * 1. Never more lines than there is room for, those that stand for what is left out included.
 * 2. Of every kind of line the first and the last ones are shown first; of as good lines, those next to the ends.
 *
 * @module
 */

/** A line of the list, or some that belong together. */
export interface Item {
  /** Items of the same key are similar. */
  readonly key: string;
  /** How many lines it takes. */
  readonly height: number;
}

/** A part of the list: one item that is shown, or several that are not. `to` is the first item behind it. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly shown: boolean;
}

/** Chooses what is shown; what is left out between takes a line. */
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
      // What takes no more than the line that would stand for it is shown.
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
