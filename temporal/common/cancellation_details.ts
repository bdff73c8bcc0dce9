/**
 * Why an activity was cancelled.
 *
 * @module
 */

/**
 * The parts of {@linkcode ActivityCancellationDetails}.
 *
 * @category Temporal
 */
export interface ActivityCancellationDetailsOptions {
  /** The workflow is not there any more. */
  notFound?: boolean | undefined;
  /** The workflow cancelled it. */
  cancelRequested?: boolean | undefined;
  /** It was paused. */
  paused?: boolean | undefined;
  /** It took too long. */
  timedOut?: boolean | undefined;
  /** The worker closes. */
  workerShutdown?: boolean | undefined;
  /** It was reset. */
  reset?: boolean | undefined;
}

/**
 * Why an activity was cancelled. Several can be true.
 *
 * @category Temporal
 */
export class ActivityCancellationDetails {
  /** The workflow is not there any more. */
  declare readonly notFound: boolean;
  /** The workflow cancelled it. */
  declare readonly cancelRequested: boolean;
  /** It was paused. It does not occur here. */
  declare readonly paused: boolean;
  /** It took too long. */
  declare readonly timedOut: boolean;
  /** The executor closes. */
  declare readonly workerShutdown: boolean;
  /** It was reset. It does not occur here. */
  declare readonly reset: boolean;

  /**
   * Makes an object.
   *
   * @param options What is true; all else is false.
   */
  constructor(options: ActivityCancellationDetailsOptions = {}) {
    const { cancelRequested = false, notFound = false, paused = false, reset = false } = options;
    const { timedOut = false, workerShutdown = false } = options;
    Object.assign(this, { cancelRequested, notFound, paused, reset, timedOut, workerShutdown });
  }
}
