/**
 * Activities that a mutant of a workflow calls: they behave differently, and are still known as the activity of the workflow, so that
 * replacements and records find them.
 *
 * @module
 */

import type { AnyActivity } from "../options.ts";

/** Changes what an activity, or the fake in its place, does. */
export type Mutation = (run: AnyActivity) => AnyActivity;

const mutated = /* @__PURE__ */ new WeakMap<object, { readonly original: AnyActivity; readonly mutation: Mutation }>();

/** Makes an activity that behaves differently. Its name and its own options stay. */
export function mutate(original: AnyActivity, mutation: Mutation): AnyActivity {
  const changed = mutation(original) as (...args: unknown[]) => unknown;
  const proxy = new Proxy(original, { apply: (_target, _self, args) => changed(...args) });
  mutated.set(proxy, { original, mutation });
  return proxy;
}

/** The activity as the workflow names it. */
export function originalOf(activity: AnyActivity): AnyActivity {
  return mutated.get(activity)?.original ?? activity;
}

/** The function that runs in place of an activity, changed as that is. */
export function mutatedAs(activity: AnyActivity, fake: AnyActivity): AnyActivity {
  return mutated.get(activity)?.mutation(fake) ?? fake;
}
