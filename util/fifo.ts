/**
 * A first-in, first-out queue whose head leaves in constant time, however long it is.
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
    if (this.#items.length === 0) this.#items = [item]; // a push would reserve memory for 17
    else this.#items.push(item);
  }

  /** Takes the oldest item; there must be one. */
  shift(): T {
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined as T; // nothing taken is kept alive
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** A copy, oldest first. No iterator: a packer moves a computed key out of its class, and bundlers keep that class. */
  toArray(): T[] {
    return this.#items.slice(this.#head);
  }

  clear(): void {
    this.#items = none;
    this.#head = 0;
  }
}

/** Never written to. */
const none: never[] = [];
