/**
 * A map that takes little memory while it has one entry or none. Most maps of a run stay that small.
 *
 * @module
 */

/** `undefined` cannot be a key. */
export class LazyMap<K, V> {
  /** The key of the only entry; `undefined` if there is no entry, or if the entries are in the map. */
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

  /** @returns Whether there was such an entry. */
  delete(key: K): boolean {
    if (this.#map !== undefined) return this.#map.delete(key);
    if (this.#key !== key) return false;
    this.#key = this.#value = undefined;
    return true;
  }

  /** In the order in which they were first set. */
  keys(): Iterable<K> {
    if (this.#map !== undefined) return this.#map.keys();
    return this.#key === undefined ? [] : [this.#key];
  }

  /** In the order in which their keys were first set. */
  values(): Iterable<V> {
    if (this.#map !== undefined) return this.#map.values();
    return this.#key === undefined ? [] : [this.#value as V];
  }
}
