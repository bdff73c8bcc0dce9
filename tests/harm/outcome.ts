/**
 * What becomes of a promise, and of the process.
 *
 * @module
 */

import { settle } from "../support/executors.ts";

/** Follows a promise without waiting for it. */
export class Outcome {
  settled = false;
  value: unknown;
  error: unknown;

  constructor(promise: Promise<unknown>) {
    // In blocks: what a function of `then` returns is adopted, and an error can be a promise.
    promise.then((value) => {
      this.value = value;
      this.settled = true;
    }, (error) => {
      this.error = error ?? "nothing";
      this.settled = true;
    });
  }
}

/** Calls `body`, and returns what would have ended the process. */
export async function harmDuring(body: () => Promise<unknown>): Promise<unknown[]> {
  const harm: unknown[] = [];
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    harm.push(event.reason);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    harm.push(event.error);
  };
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  try {
    await body();
    await settle();
  } finally {
    removeEventListener("unhandledrejection", onRejection);
    removeEventListener("error", onError);
  }
  return harm;
}

/** A value in a failure's message. */
export function shown(value: unknown): string {
  try {
    return `${value}`.slice(0, 300);
  } catch {
    return "what cannot be shown";
  }
}
