/**
 * A map that takes little memory while it has one entry or none: most of what a run can have many of, most runs have not.
 *
 * @module
 */

/** `undefined` is no key. */
export class LazyMap<K, V> {
  /** The only entry; none, or all are in the map, if its key is `undefined`. */
  #key: K | undefined;
  #value: V | undefined;
  #map: Map<K, V> | undefined;

  get size(): number {
    if (this.#map !== undefined) return this.#map.size;
    return this.#key === undefined ? 0 : 1;
  }

  get(key: K): V | undefined {
    if (this.#map !== undefined) return this.#map.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  set(key: K, value: V): void {
    if (this.#map !== undefined) this.#map.set(key, value);
    else if (this.#key === undefined || this.#key === key) {
      this.#key = key;
      this.#value = value;
    } else {
      this.#map = new Map([[this.#key, this.#value as V], [key, value]]);
      this.#key = this.#value = undefined;
    }
  }

  /** Answers whether it was there. */
  delete(key: K): boolean {
    if (this.#map !== undefined) return this.#map.delete(key);
    if (this.#key !== key) return false;
    this.#key = this.#value = undefined;
    return true;
  }

  /** In the order in which they were set. */
  keys(): Iterable<K> {
    if (this.#map !== undefined) return this.#map.keys();
    return this.#key === undefined ? [] : [this.#key];
  }

  /** In the order in which their keys were set. */
  values(): Iterable<V> {
    if (this.#map !== undefined) return this.#map.values();
    return this.#key === undefined ? [] : [this.#value as V];
  }
}
