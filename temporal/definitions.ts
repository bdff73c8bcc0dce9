// deno-lint-ignore-file no-explicit-any -- as Temporal users know them

/**
 * Definitions of the signals, queries and updates of a workflow: names with types.
 *
 * @module
 */

import type {
  QueryDefinition,
  QueryDefinitionOptions,
  SignalDefinition,
  SignalDefinitionOptions,
  UpdateDefinition,
  UpdateDefinitionOptions,
} from "./common/mod.ts";

/**
 * Defines a signal. It may be called outside of a workflow.
 *
 * @param name The name.
 * @param options They change nothing here.
 *
 * @category Temporal
 */
export function defineSignal<Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: SignalDefinitionOptions,
): SignalDefinition<Args, Name> {
  return { type: "signal", name, ...options } as SignalDefinition<Args, Name>;
}

/**
 * Defines a query. It may be called outside of a workflow.
 *
 * @param name The name.
 * @param options They change nothing here.
 *
 * @category Temporal
 */
export function defineQuery<Ret, Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: QueryDefinitionOptions,
): QueryDefinition<Ret, Args, Name> {
  return { type: "query", name, ...options } as QueryDefinition<Ret, Args, Name>;
}

/**
 * Defines an update. It may be called outside of a workflow.
 *
 * @param name The name.
 * @param options They change nothing here.
 *
 * @category Temporal
 */
export function defineUpdate<Ret, Args extends any[] = [], Name extends string = string>(
  name: Name,
  options?: UpdateDefinitionOptions,
): UpdateDefinition<Ret, Args, Name> {
  return { type: "update", name, ...options } as UpdateDefinition<Ret, Args, Name>;
}
