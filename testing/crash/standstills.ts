/**
 * Notices activities that hold up the time of simulated worlds in one run after another: a test with hundreds of runs would take
 * minutes.
 *
 * @module
 */

import { show } from "../../util/show.ts";

/**
 * How long activities and the store may do nothing, in real time, before they count as waiting for time to pass, or as
 * never ending: fakes, which need no real time, and all others.
 */
export const FAKE_PATIENCE_MS = 50;
export const REAL_PATIENCE_MS = 3_000;

/** In so many runs in a row an activity may hold up the time. */
const MAX_RUNS = 3;

export class Standstills {
  /** By the name of the activity. */
  #runs = new Map<string, number>();

  /**
   * Notes which activities have held up the time in a run. Fakes do not count.
   *
   * @returns What to report, if the same one has done it too often.
   */
  note(names: ReadonlySet<string>): string | undefined {
    this.#runs = new Map(Array.from(names, (name) => [name, (this.#runs.get(name) ?? 0) + 1]));
    for (const [name, runs] of this.#runs) {
      if (runs < MAX_RUNS) continue;
      return `Activity ${
        show(name)
      } did nothing for ${REAL_PATIENCE_MS} ms of real time in ${runs} runs in a row, and time passes ` +
        "only after that\nReplace it with replace(): fakes hold it up for " + `${FAKE_PATIENCE_MS} ms`;
    }
  }
}
