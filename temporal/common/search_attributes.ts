/**
 * Search attributes: values by which workflows are found, by name.
 *
 * @module
 */

/**
 * The value of a search attribute without a type.
 *
 * @category Temporal
 */
export type SearchAttributeValue = string[] | number[] | boolean[] | Date[];

/**
 * The value of a search attribute without a type, as code may hold it.
 *
 * @category Temporal
 */
export type SearchAttributeValueOrReadonly = SearchAttributeValue | Readonly<SearchAttributeValue> | undefined;

/**
 * Search attributes without types, by name.
 *
 * @category Temporal
 */
export type SearchAttributes = Record<string, SearchAttributeValueOrReadonly>;

/**
 * The types of search attributes.
 *
 * @category Temporal
 */
export const SearchAttributeType = {
  /** A text that is searched by words. */
  TEXT: "TEXT",
  /** A text. */
  KEYWORD: "KEYWORD",
  /** An integer. */
  INT: "INT",
  /** A number. */
  DOUBLE: "DOUBLE",
  /** A boolean. */
  BOOL: "BOOL",
  /** A `Date`. */
  DATETIME: "DATETIME",
  /** Several texts. */
  KEYWORD_LIST: "KEYWORD_LIST",
} as const;

/**
 * The type of a search attribute.
 *
 * @category Temporal
 */
export type SearchAttributeType = (typeof SearchAttributeType)[keyof typeof SearchAttributeType];

/**
 * The values of search attributes, by type.
 *
 * @category Temporal
 */
export interface IndexedValueTypeMapping {
  /** A text that is searched by words. */
  TEXT: string;
  /** A text. */
  KEYWORD: string;
  /** An integer. */
  INT: number;
  /** A number. */
  DOUBLE: number;
  /** A boolean. */
  BOOL: boolean;
  /** A `Date`. */
  DATETIME: Date;
  /** Several texts. */
  KEYWORD_LIST: string[];
}

/**
 * The name and the type of a search attribute.
 *
 * @category Temporal
 */
export interface SearchAttributeKey<T extends SearchAttributeType> {
  /** The name. */
  name: string;
  /** The type. */
  type: T;
}

/**
 * Names a search attribute.
 *
 * @param name The name.
 * @param type The type of its value.
 *
 * @category Temporal
 */
export function defineSearchAttributeKey<T extends SearchAttributeType>(name: string, type: T): SearchAttributeKey<T> {
  return { name, type };
}

/**
 * A search attribute with its value.
 *
 * @category Temporal
 */
export type SearchAttributePair = {
  [T in SearchAttributeType]: { key: SearchAttributeKey<T>; value: IndexedValueTypeMapping[T] };
}[SearchAttributeType];

/**
 * A search attribute with its new value; `null` removes it.
 *
 * @category Temporal
 */
export type SearchAttributeUpdatePair = {
  [T in SearchAttributeType]: { key: SearchAttributeKey<T>; value: IndexedValueTypeMapping[T] | null };
}[SearchAttributeType];

/** Whether a value has the type of a search attribute. */
function isValid(type: SearchAttributeType, value: unknown): boolean {
  switch (type) {
    case "TEXT":
    case "KEYWORD":
      return typeof value === "string";
    case "INT":
      return Number.isInteger(value);
    case "DOUBLE":
      return typeof value === "number";
    case "BOOL":
      return typeof value === "boolean";
    case "DATETIME":
      return value instanceof Date;
    case "KEYWORD_LIST":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
  }
}

/**
 * Search attributes with types. It cannot be changed.
 *
 * @category Temporal
 */
export class TypedSearchAttributes {
  readonly #pairs = new Map<string, SearchAttributePair>();

  /**
   * Makes a collection.
   *
   * @param initialAttributes The attributes with their values.
   * @throws {TypeError} If a name occurs twice, or a value has another type.
   */
  constructor(initialAttributes: SearchAttributePair[] = []) {
    for (const pair of initialAttributes) {
      const { key: { name, type }, value } = pair;
      const action = `Cannot set search attribute "${name}"`;
      if (this.#pairs.has(name)) throw new TypeError(`${action}: it is given twice`);
      if (!isValid(type, value)) throw new TypeError(`${action}: the value is not of the type ${type}`);
      this.#pairs.set(name, copyOf(pair));
    }
  }

  /**
   * Returns the value of an attribute; `undefined` if there is none of this name and type.
   *
   * @param key The attribute.
   */
  get<T extends SearchAttributeType>(key: SearchAttributeKey<T>): IndexedValueTypeMapping[T] | undefined {
    const pair = this.#pairs.get(key.name);
    return pair?.key.type === key.type ? copyOf(pair).value as IndexedValueTypeMapping[T] : undefined;
  }

  /** Returns a copy. */
  copy(): TypedSearchAttributes {
    return new TypedSearchAttributes(this.getAll());
  }

  /** Returns what `JSON.stringify` writes. */
  toJSON(): SearchAttributePair[] {
    return this.getAll();
  }

  /**
   * Returns a copy with some attributes changed.
   *
   * @param updates The new values; `null` removes an attribute.
   * @throws {TypeError} If a value has another type.
   */
  updateCopy(updates: SearchAttributeUpdatePair[]): TypedSearchAttributes {
    const pairs = new Map(this.#pairs);
    for (const { key, value } of updates) {
      if (value === null) pairs.delete(key.name);
      else pairs.set(key.name, { key, value } as SearchAttributePair);
    }
    return new TypedSearchAttributes([...pairs.values()]);
  }

  /** Returns all attributes with their values. */
  getAll(): SearchAttributePair[] {
    return [...this.#pairs.values()].map(copyOf);
  }
}

/** A copy: dates and lists can be changed. */
function copyOf<Pair extends SearchAttributePair>({ key, value }: Pair): Pair {
  return { key: { ...key }, value: structuredClone(value) } as Pair;
}
