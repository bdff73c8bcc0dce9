/**
 * A map that takes no memory while it is empty: most of what a run can have, most runs have not.
 *
 * @module
 */

export class LazyMap<K, V> {
  #map: Map<K, V> | undefined;

  get size(): number {
    return this.#map === undefined ? 0 : this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map === undefined ? undefined : this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map !== undefined && this.#map.has(key);
  }

  set(key: K, value: V): void {
    (this.#map ??= new Map()).set(key, value);
  }

  delete(key: K): void {
    this.#map?.delete(key);
  }

  clear(): void {
    this.#map = undefined;
  }

  /** In the order in which the keys were set. What is deleted meanwhile is left out. */
  values(): Iterable<V> {
    return this.#map === undefined ? [] : this.#map.values();
  }

  /** The same with their keys. */
  entries(): Iterable<[K, V]> {
    return this.#map === undefined ? [] : this.#map.entries();
  }
}
