/**
 * How code written against another interface cancels one activity. Code of this package cancels the scope of the activity.
 *
 * Not a method of the public port. Its name is a plain one: bundlers drop no class that has a computed name.
 *
 * @module
 */

/** A context, as such code sees it. */
export interface ActivityCanceler {
  /**
   * Cancels an activity: its `signal` is aborted, no further attempt begins, and the call settles with the real outcome. One that
   * has not begun, or waits for its next attempt, fails at once with the reason. Its scope does not wait for it.
   *
   * @param call What `executeActivity` returned. Nothing happens if it has settled, or was refused.
   */
  cancelActivity(call: Promise<unknown>, reason: Error): void;
}
