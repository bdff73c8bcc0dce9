/**
 * The shortest wait after which all microtasks have run: about 2 µs, and no timer, where the runtime has one.
 *
 * 1. Importing this module reads and starts nothing. The way is found at the first call, and then called directly.
 * 2. A way counts only if it comes after all microtasks: `setImmediate`; `MessageChannel`, if its first message was seen to do so
 *    (on workerd it does not); or else `setTimeout`.
 * 3. Fake timers are never used. Those of Jest, Sinon and Vitest keep the function that they replace in their clock. Any other
 *    replacement of `setImmediate` has another name. Nobody fakes `MessageChannel` and promises.
 * 4. Without a pending call nothing keeps the process alive.
 * 5. A call may be lost: workerd drops what is pending when a request ends. No later call depends on it.
 *
 * @module
 */

type Macrotask = (callback: () => void) => void;

/** A global function of the runtime, also while fake timers replace it. */
function genuine(name: "setImmediate" | "setTimeout"): Macrotask | undefined {
  // deno-lint-ignore no-explicit-any -- which globals there are depends on the runtime, and fakes have members of their own
  const current = (globalThis as any)[name];
  return current?.clock?.[`_${name}`] ?? current;
}

/** Calls back in a macrotask of its own, after all microtasks. The first calls find out how. */
export let macrotask: Macrotask = (callback) => {
  const immediate = genuine("setImmediate");
  if (typeof immediate === "function" && immediate.name === "setImmediate") macrotask = immediate;
  else if (typeof MessageChannel === "function") return firstMessage(callback);
  else macrotask = timeout;
  macrotask(callback);
};

const timeout: Macrotask = (callback) => genuine("setTimeout")!(callback);

/** Posts a message and looks whether the microtasks have run before it arrives. */
function firstMessage(callback: () => void): void {
  let drained = false;
  const channel = open(() => {
    close(channel);
    macrotask = drained ? message : timeout;
    if (drained) callback();
    else timeout(callback);
  });
  channel.port2.postMessage(null);
  (async () => {
    for (let i = 0; i < 100; i++) await null;
    drained = true;
  })();
}

function open(onmessage: () => void): MessageChannel {
  const channel = new MessageChannel();
  channel.port1.onmessage = onmessage;
  return channel;
}

function close({ port1, port2 }: MessageChannel): void {
  port1.close();
  port2.close();
}

let channel: MessageChannel | undefined;
const callbacks: (() => void)[] = [];

const message: Macrotask = (callback) => {
  callbacks.push(callback);
  (channel ??= open(arrived)).port2.postMessage(null);
};

function arrived(): void {
  const callback = callbacks.shift()!;
  if (callbacks.length === 0 && channel !== undefined && "unref" in channel.port1) { // a port of a server runtime keeps the process alive
    close(channel);
    channel = undefined;
  }
  callback();
}
