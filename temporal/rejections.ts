/**
 * Promises of workflow code that nobody awaits.
 *
 * An `async` function of a workflow that nobody awaits rejects when its scope is cancelled, for instance. That would end the process,
 * and with it all runs. So a rejection that happens in a workflow is written to its log, and ends nothing. Others are left to the
 * runtime.
 *
 * @module
 */

import runtime from "node:process";
import { isCancellation } from "./errors.ts";
import { currentFrame, outside } from "./scope.ts";

let guarded = false;

/** Watches for rejections of workflow code. Called when the first workflow begins: an import has no side effect. */
export function guardRejections(): void {
  if (guarded) return;
  guarded = true;
  if (typeof globalThis.addEventListener === "function") {
    globalThis.addEventListener("unhandledrejection", (event) => {
      if (report((event as PromiseRejectionEvent).reason)) event.preventDefault();
    });
    return;
  }
  runtime.on("unhandledRejection", (reason) => {
    if (!report(reason) && runtime.listenerCount("unhandledRejection") === 1) throw reason; // as without a listener
  });
}

/** Returns whether the rejection happened in a workflow. */
function report(error: unknown): boolean {
  const frame = currentFrame();
  if (frame === undefined) return false;
  const { run } = frame;
  if (run.ended || isCancellation(error)) return true;
  outside(() => run.ctx.log.error("A promise of the workflow that nobody awaits was rejected", { error }));
  return true;
}
