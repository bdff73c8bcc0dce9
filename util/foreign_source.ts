/**
 * What the functions that the executor calls do not show of workflows that are written against another interface: their source text, and
 * whether their activities are fakes.
 *
 * @module
 */

/** Code that another function runs. */
export interface ForeignSource {
  /** The function that the user wrote. */
  readonly code: unknown;
  /** What makes the time, timers and random numbers in it safe; `undefined` if they are. */
  readonly safeGlobals: string | undefined;
}

/** Calls of activities, and attempts of them, of which a test says that they take no real time, although no replacement of the kit stands for them. */
export const fakeActivities: WeakSet<object> = /* @__PURE__ */ new WeakSet();

/** The code of each such workflow, by the function that the executor calls. */
export const foreignSources: WeakMap<object, ForeignSource> = /* @__PURE__ */ new WeakMap();
