/**
 * The bounds with which the examples are explored.
 *
 * @module
 */

/**
 * A failure, a cancellation and a crash in a run, at most two of them or of changes of the order, and about a second in all. A service
 * that refuses for good is left out: what it has refused, no retry can do.
 */
export const bounds = {
  cancels: 1,
  faults: 1,
  crashes: 1,
  failures: ["fails", "loses its answer", "never answers"],
  maxDeviations: 2,
  maxRuns: 300,
} as const;
