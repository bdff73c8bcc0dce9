/**
 * What `@temporalio/nyc-test-coverage` is for, workflow code in the report of coverage, is the case here without it: the code runs in the
 * process of the test.
 *
 * @module
 */

/**
 * Stands in for the class of `@temporalio/nyc-test-coverage`.
 *
 * @category Temporal
 */
export class WorkflowCoverage {
  /** Returns the options of a worker unchanged. */
  augmentWorkerOptions<T extends object>(options: T): T {
    return options;
  }

  /** Returns the options of a bundle unchanged. */
  augmentWorkerOptionsWithBundle<T extends object>(options: T): T {
    return options;
  }

  /** Returns the options of a bundle unchanged. */
  augmentBundleOptions<T extends object>(options: T): T {
    return options;
  }

  /** Does nothing. */
  mergeIntoGlobalCoverage(): void {}
}
