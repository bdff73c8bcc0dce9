/**
 * Options of activities themselves.
 *
 * @module
 */

// deno-lint-ignore-file no-explicit-any -- activities of users have any parameters

import type { ActivityDefinitionOptions, ActivityFunction } from "../common/definitions.ts";

/**
 * Gives an activity options of its own.
 *
 * @param options The options.
 * @param fn The activity.
 *
 * @category Temporal
 */
export function setActivityOptions<Args extends any[], ReturnType>(
  options: ActivityDefinitionOptions,
  fn: ActivityFunction<Args, ReturnType>,
): void {
  Object.assign(fn, { activityDefinitionOptions: options });
}
