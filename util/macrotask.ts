/**
 * The shortest wait after which all microtasks have run. It takes about 2 µs and no timer.
 *
 * @module
 */

type Macrotask = (callback: () => void) => void;

declare const setImmediate: Macrotask | undefined;

/** For runtimes without `setImmediate`, such as browsers and workers. Its ports do not keep the process alive. */
export function messageChannelMacrotask(): Macrotask {
  const { port1, port2 } = new MessageChannel();
  const callbacks: (() => void)[] = [];
  port1.onmessage = () => callbacks.shift()!();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(null);
  };
}

let channel: Macrotask | undefined;

/**
 * Calls back in a macrotask of its own, after all microtasks.
 *
 * `setImmediate` is read once, so that fake timers that replace it later do not stop the turns. `setTimeout(0)` would take
 * over 1 ms.
 */
export const macrotask: Macrotask = typeof setImmediate === "undefined"
  ? (callback) => (channel ??= messageChannelMacrotask())(callback)
  : setImmediate;
