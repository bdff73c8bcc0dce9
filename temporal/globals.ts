/**
 * `Date`, `Math.random`, `setTimeout` and `clearTimeout` of the runtime, replaced by those of the workflow while workflow code runs.
 *
 * Everywhere else they do what they did, and so in workflows of hosts that do not ask for it. They are replaced once, however many hosts
 * ask for it, and put back when the last one is disposed of.
 *
 * @module
 */

import { CancellationScope, currentFrame, enter, type Frame, outside, waitIn } from "./scope.ts";

/** How many hosts ask for it. */
let users = 0;
let restore: (() => void) | undefined;

/** Replaces the globals. Returns a function that puts them back, once. */
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
    const isNow = args.length === 0 || new.target === undefined;
    const frame = isNow ? frameFor("Date") : undefined;
    const values = frame === undefined ? args : [frame.run.ctx.now()];
    if (new.target === undefined) {
      return frame === undefined ? NativeDate() : new NativeDate(...values as [number]).toString();
    }
    return Reflect.construct(NativeDate, values, new.target === WorkflowDate ? NativeDate : new.target);
  };
  const now = () => frameFor("Date.now")?.run.ctx.now() ?? NativeDate.now();
  Object.defineProperties(WorkflowDate, {
    ...Object.getOwnPropertyDescriptors(NativeDate),
    now: { value: now, configurable: true, writable: true },
  });

  const replaced = {
    Date: WorkflowDate,
    setTimeout: Object.assign((callback: unknown, delayMs?: number, ...args: unknown[]) => {
      const frame = typeof callback === "function" ? frameFor("setTimeout") : undefined;
      return frame === undefined
        ? (nativeSetTimeout as unknown as (...args: unknown[]) => number)(callback, delayMs, ...args)
        : setTimer(frame, () => (callback as (...args: unknown[]) => void)(...args), Number(delayMs) || 0);
    }, nativeSetTimeout),
    clearTimeout(id?: number) {
      if (!clearTimer(currentFrame(), id)) nativeClearTimeout(id);
    },
  };
  const random = () => frameFor("Math.random")?.run.ctx.random() ?? nativeRandom();
  Object.assign(globalThis, replaced);
  Object.assign(Math, { random });

  return () => {
    putBack(globalThis, replaced, { Date: NativeDate, setTimeout: nativeSetTimeout, clearTimeout: nativeClearTimeout });
    putBack(Math, { random }, { random: nativeRandom });
  };
}

/** What somebody else has replaced meanwhile, such as the fake timers of a test, stays. */
function putBack<T extends object>(owner: object, replaced: T, native: Record<keyof T, unknown>): void {
  for (const name of Object.keys(replaced) as (keyof T & string)[]) {
    if ((owner as T)[name] === replaced[name]) Object.assign(owner, { [name]: native[name] });
  }
}

/** The workflow whose global is read; `undefined` if the one of the runtime is read. */
function frameFor(name: string): Frame | undefined {
  const frame = currentFrame();
  const { patchGlobals, reported } = frame?.run.host ?? { patchGlobals: false };
  if (patchGlobals !== "report") return patchGlobals ? frame : undefined;
  // Error, this function, the replacement, and the code that reads it
  const line = new Error().stack?.split("\n")[3]?.trim() ?? "";
  if (reported!.has(`${name} ${line}`)) return undefined;
  reported!.add(`${name} ${line}`);
  const { log } = frame!.run.ctx;
  outside(() => log.warn(`Workflow code reads ${name} of the runtime, which no replay repeats: ${line}`));
  return undefined;
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
