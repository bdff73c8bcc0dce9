/**
 * The source text of workflows that are written against another interface: the function that the executor calls does not show it.
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

/** The code of each such workflow, by the function that the executor calls. */
export const foreignSources: WeakMap<object, ForeignSource> = /* @__PURE__ */ new WeakMap();
