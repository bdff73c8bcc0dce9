/**
 * `Date`, `Math.random`, `setTimeout` and `clearTimeout` of the runtime, replaced by those of the workflow while workflow code runs.
 *
 * Everywhere else they do what they did. They are replaced once, however many hosts ask for it, and put back when the last one is
 * disposed of.
 *
 * @module
 */

import { currentFrame, enter, type Frame } from "./scope.ts";
import { CancellationScope, waitIn } from "./scope.ts";

/** How many hosts ask for it. */
let users = 0;
let restore: (() => void) | undefined;

/**
 * Replaces the globals.
 *
 * @param onRead Is called with the name of a global that workflow code reads; it then gets the one of the runtime. Without it, the code
 * gets the one of the workflow.
 * @returns Puts them back, once.
 */
export function patchGlobals(): () => void {
  if (users++ === 0) restore = replace();
  let isPatched = true;
  return () => {
    if (!isPatched) return;
    isPatched = false;
    if (--users === 0) restore!();
  };
}

function replace(): () => void {
  const { Date: NativeDate, setTimeout: nativeSetTimeout, clearTimeout: nativeClearTimeout } = globalThis;
  const { random: nativeRandom } = Math;

  const WorkflowDate = function (this: unknown, ...args: unknown[]): unknown {
    const frame = currentFrame();
    if (new.target === undefined) {
      return frame === undefined ? NativeDate() : new NativeDate(frame.run.ctx.now()).toString();
    }
    const values = args.length === 0 && frame !== undefined ? [frame.run.ctx.now()] : args;
    return Reflect.construct(NativeDate, values, new.target === WorkflowDate ? NativeDate : new.target);
  };
  Object.defineProperties(WorkflowDate, {
    ...Object.getOwnPropertyDescriptors(NativeDate),
    now: { value: () => currentFrame()?.run.ctx.now() ?? NativeDate.now(), configurable: true, writable: true },
  });

  Object.assign(globalThis, {
    Date: WorkflowDate,
    setTimeout: Object.assign((callback: unknown, delayMs?: number, ...args: unknown[]) => {
      const frame = currentFrame();
      if (frame === undefined || typeof callback !== "function") {
        return (nativeSetTimeout as unknown as (...args: unknown[]) => number)(callback, delayMs, ...args);
      }
      return setTimer(frame, () => callback(...args), Number(delayMs) || 0);
    }, nativeSetTimeout),
    clearTimeout(id?: number) {
      if (!clearTimer(currentFrame(), id)) nativeClearTimeout(id);
    },
  });
  Object.assign(Math, { random: () => currentFrame()?.run.ctx.random() ?? nativeRandom() });

  return () => {
    Object.assign(globalThis, { Date: NativeDate, setTimeout: nativeSetTimeout, clearTimeout: nativeClearTimeout });
    Object.assign(Math, { random: nativeRandom });
  };
}

const timers = /* @__PURE__ */ new WeakMap<object, Map<number, CancellationScope>>();

/** Starts a timer of the workflow. */
function setTimer(frame: Frame, callback: () => void, delayMs: number): number {
  const { run } = frame;
  let ofRun = timers.get(run);
  if (ofRun === undefined) timers.set(run, ofRun = new Map());
  const id = run.next.timer++;
  const scope = new CancellationScope({ cancellable: true });
  ofRun.set(id, scope);
  const end = () => void ofRun.delete(id);
  waitIn(scope, (context) => context.sleep(Math.max(1, delayMs))).then(() => {
    end();
    callback();
  }, end).catch((error) => run.fail(error));
  return id;
}

/** Returns whether the timer is one of the workflow. */
function clearTimer(frame: Frame | undefined, id: number | undefined): boolean {
  if (frame === undefined) return false;
  const ofRun = timers.get(frame.run);
  const scope = ofRun?.get(id!);
  if (scope === undefined) return false;
  ofRun!.delete(id!);
  enter(frame, () => scope.cancel());
  return true;
}
