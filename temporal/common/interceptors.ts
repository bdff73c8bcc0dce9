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

/**
 * Puts interceptors around a method. The first is the outermost.
 *
 * @param interceptors The interceptors. Those without the method are left out.
 * @param method The name of the method.
 * @param next What the last interceptor calls.
 *
 * @internal
 */
export function composeInterceptors<I, M extends keyof I>(
  interceptors: readonly I[],
  method: M,
  next: Next<I, M>,
): Next<I, M> {
  return interceptors.reduceRight((inner: any, interceptor: any) => {
    if (interceptor[method] === undefined) return inner;
    return (input: unknown) => interceptor[method](input, inner);
  }, next) as Next<I, M>;
}
