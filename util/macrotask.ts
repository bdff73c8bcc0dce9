/**
 * A macrotask hop: the shortest wait in which all microtasks drain. It takes about 2 µs, and no timer.
 *
 * @module
 */

type Hop = (callback: () => void) => void;

/** Where there is no `setImmediate`: browsers and workers. Its ports do not keep those alive. */
export function messageChannelHop(): Hop {
  const { port1, port2 } = new MessageChannel();
  const callbacks: (() => void)[] = [];
  port1.onmessage = () => callbacks.shift()!();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(null);
  };
}

// Taken once: fake timers that replace it later must not stop the turns. `setTimeout(0)` would take over 1 ms.
const { setImmediate } = globalThis as { setImmediate?: Hop };
let channelHop: Hop | undefined;

/** Calls back in a macrotask of its own, once all microtasks have drained. */
export const hop: Hop = setImmediate ?? ((callback) => (channelHop ??= messageChannelHop())(callback));
