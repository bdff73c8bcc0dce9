/**
 * A sorted set of integers from 0 that finds the next member in a few steps, also over a large gap.
 *
 * A tree of bits. A word of the lowest level holds 32 members. A bit of a higher level says whether the word below it has
 * members. A member takes a little more than one bit. Each operation takes one step per level: four for a million members.
 *
 * @module
 */

export class BitSet {
  /** The members first, up to a level of one word. */
  #levels: Uint32Array[] = [new Uint32Array(1)];
  /** The lowest level. */
  #words = this.#levels[0];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an integer that is no member. */
  add(member: number): void {
    while (member >= this.#words.length * 32) this.#grow();
    this.#size++;
    for (const words of this.#levels) {
      const bit = 1 << (member & 31);
      member >>>= 5;
      const before = words[member];
      words[member] = before | bit;
      if (before !== 0) return;
    }
  }

  /** Removes a member. */
  delete(member: number): void {
    this.#size--;
    for (const words of this.#levels) {
      const bit = 1 << (member & 31);
      member >>>= 5;
      if ((words[member] &= ~bit) !== 0) return;
    }
  }

  /** The smallest member that is at least `from`; -1 if there is none. */
  next(from: number): number {
    const near = this.#words[from >>> 5] & (-1 << (from & 31)); // 0 beyond the end
    if (near !== 0) return (from & -32) + lowest(near);
    const levels = this.#levels;
    for (let level = 0; level < levels.length; level++) {
      const index = from >>> 5;
      const word = levels[level][index] & (-1 << (from & 31)); // 0 beyond the end
      if (word === 0) {
        from = index + 1;
        continue;
      }
      let found = index * 32 + lowest(word);
      while (level > 0) found = found * 32 + lowest(levels[--level][found]);
      return found;
    }
    return -1;
  }

  /** The largest member that is at most `from`; -1 if there is none. `from` can be -1. */
  previous(from: number): number {
    const levels = this.#levels;
    from = Math.min(from, this.#words.length * 32 - 1);
    for (let level = 0; level < levels.length && from >= 0; level++) {
      const index = from >>> 5;
      const word = levels[level][index] & (-1 >>> (31 - (from & 31)));
      if (word === 0) {
        from = index - 1;
        continue;
      }
      let found = index * 32 + highest(word);
      while (level > 0) found = found * 32 + highest(levels[--level][found]);
      return found;
    }
    return -1;
  }

  /** Doubles the lowest level and rebuilds the others. */
  #grow(): void {
    let words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#levels = [words];
    while (words.length > 1) {
      const above = new Uint32Array(Math.ceil(words.length / 32));
      words.forEach((word, i) => {
        if (word !== 0) above[i >>> 5] |= 1 << (i & 31);
      });
      this.#levels.push(words = above);
    }
  }
}

function lowest(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function highest(word: number): number {
  return 31 - Math.clz32(word);
}
