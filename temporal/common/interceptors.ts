/**
 * What the types of all interceptors are made of.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- methods of interceptors have any parameters

import type { Payload } from "./payload_converter.ts";

/**
 * Headers of a call, by name.
 *
 * @category Temporal
 */
export type Headers = Record<string, Payload>;

/**
 * The next interceptor of a chain: the method, without its last parameter.
 *
 * @category Temporal
 */
export type Next<IF, FN extends keyof IF> = Required<IF>[FN] extends (...args: any[]) => any
  ? (...args: OmitLast<Parameters<Required<IF>[FN]>>) => ReturnType<Required<IF>[FN]>
  : never;

/**
 * A list of parameters without the last one.
 *
 * @category Temporal
 */
export type OmitLast<T> = T extends [...infer Rest, any] ? Rest : never;
