/**
 * What the store and the object use of Cloudflare's platform. The types of `@cloudflare/workers-types` fit, and are not needed here.
 *
 * @module
 */

/**
 * The SQL database of a Durable Object: `ctx.storage.sql`.
 *
 * @category Durable Object
 */
export interface ObjectSql {
  /** Runs a statement. */
  exec(query: string, ...bindings: unknown[]): ObjectCursor;
}

/**
 * The answer of a statement.
 *
 * @category Durable Object
 */
export interface ObjectCursor {
  /** All rows. */
  toArray(): Record<string, unknown>[];
}

/**
 * The storage of a Durable Object with SQLite, as far as the store uses it: `ctx.storage`.
 *
 * @category Durable Object
 */
export interface ObjectStorage {
  /** The database. An object without SQLite has none. */
  readonly sql: ObjectSql;
  /** Calls a function in a transaction, which is rolled back if it throws. */
  transactionSync<T>(closure: () => T): T;
}

/**
 * The storage with its alarm.
 *
 * @category Durable Object
 */
export interface ObjectAlarmStorage extends ObjectStorage {
  /** When the alarm is due, in milliseconds since the epoch; `null` if it is not set. */
  getAlarm(): Promise<number | null>;
  /** Sets the only alarm of the object. */
  setAlarm(scheduledTime: number): Promise<void>;
  /** Clears the alarm. */
  deleteAlarm(): Promise<void>;
}

/**
 * What a Durable Object gets as its first argument, as far as workflows use it.
 *
 * @category Durable Object
 */
export interface ObjectState {
  /** The storage of the object. */
  readonly storage: ObjectAlarmStorage;
  /** Calls a function, and delivers no event to the object before it is done. */
  blockConcurrencyWhile<T>(callback: () => Promise<T>): Promise<T>;
}
