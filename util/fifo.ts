/**
 * A first-in, first-out queue. Its operations take constant time, however long it is.
 *
 * @module
 */

export class Fifo<T> {
  #items: T[] = none;
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.#items.length === 0) this.#items = [item]; // a push would reserve memory for 17 items
    else this.#items.push(item);
  }

  /** Removes the oldest item. There must be one. */
  shift(): T {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined as T; // keeps no reference to the item
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** A copy, oldest first. Not an iterator: once it is packed, a class with a computed key has a side effect at import. */
  toArray(): T[] {
    return this.#items.slice(this.#head);
  }

  clear(): void {
    this.#items = none;
    this.#head = 0;
  }
}

/** Shared by all empty queues. Never changed. */
const none: never[] = [];
