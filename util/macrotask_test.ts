import { assert, assertEquals } from "@std/assert";
import { macrotask } from "./macrotask.ts";

type Macrotask = typeof macrotask;

/** The globals that the module uses. */
interface Globals {
  setImmediate?: unknown;
  setTimeout?: unknown;
  MessageChannel?: unknown;
}

const globals = globalThis as Globals;
let worlds = 0;

const RealChannel = MessageChannel;
const realImmediate = setImmediate;
const realTimeout = setTimeout;

/** A new instance of the module in another runtime: a function that calls its `macrotask`. The import has changed nothing. */
async function inRuntime(changes: Globals) {
  const real: Globals = { setImmediate, setTimeout, MessageChannel };
  Object.assign(globals, changes);
  const module = await import(`./macrotask.ts?world=${worlds++}` as string) as { macrotask: Macrotask };
  return {
    module,
    next: () => new Promise<void>((resolve) => module.macrotask(resolve)),
    [Symbol.dispose]: () => void Object.assign(globals, real),
  };
}

/** Counts the ports that are open. */
function countingChannel(orderly = true) {
  const count = { made: 0, open: 0 };
  const counted = (port: MessagePort) => {
    count.open++;
    const close = port.close.bind(port);
    port.close = () => {
      count.open--;
      close();
    };
    return port;
  };
  function channel() {
    const { port1, port2 } = new RealChannel();
    count.made++;
    counted(port1);
    counted(port2);
    // workerd delivers a message before the microtasks have drained
    if (!orderly) {
      port2.postMessage = () => void Promise.resolve().then(() => port1.onmessage!(new MessageEvent("message")));
    }
    return { port1, port2 };
  }
  return { count, MessageChannel: channel };
}

/** Whether all microtasks have run when `next` resolves: some hundred, so that each of them is not counted. */
async function comesAfterMicrotasks(next: () => Promise<void>): Promise<boolean> {
  let drained = false;
  (async () => {
    for (let i = 0; i < 500; i++) await null;
    drained = true;
  })();
  let after: boolean | undefined;
  await next().then(() => after = drained);
  return after!;
}

/** As the fake timers of Jest, Sinon and Vitest do it: nothing is called until time is moved. */
function fakeClock() {
  const clock = { _setImmediate: realImmediate, _setTimeout: realTimeout };
  return {
    setImmediate: Object.assign(function setImmediate() {}, { clock }),
    setTimeout: Object.assign(function setTimeout() {}, { clock }),
  };
}

Deno.test("macrotask() calls back after all microtasks", async () => {
  assert(await comesAfterMicrotasks(() => new Promise<void>((resolve) => macrotask(resolve))));
});

Deno.test("macrotask() is setImmediate itself after the first call", async () => {
  using runtime = await inRuntime({});
  await runtime.next();
  assertEquals<unknown>(runtime.module.macrotask, setImmediate);
});

Deno.test("macrotask() uses a message channel in a runtime without setImmediate, and keeps no port open", async () => {
  const { count, MessageChannel } = countingChannel();
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel });
  assertEquals(count, { made: 0, open: 0 });
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
  assertEquals(count.open, 0);
});

Deno.test("macrotask() uses one message channel for calls that wait together, in order, each in a macrotask of its own", async () => {
  const { count, MessageChannel } = countingChannel();
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel });
  await runtime.next();
  const log: string[] = [];
  const all = ["a", "b", "c"].map((name) => runtime.next().then(() => null).then(() => log.push(name)));
  runtime.module.macrotask(() => log.push("d"));
  assertEquals(log, []);
  await Promise.all(all);
  await runtime.next();
  assertEquals([log, count], [["a", "b", "c", "d"], { made: 3, open: 0 }]);
});

Deno.test("macrotask() keeps the channel of a page open: its port keeps nothing alive", async () => {
  const { count, MessageChannel } = countingChannel();
  const ports: MessagePort[] = [];
  function channelOfPage() {
    const { port1, port2 } = MessageChannel();
    ports.push(port1, port2);
    const page = {
      set onmessage(callback: () => void) {
        port1.onmessage = callback;
      },
      close: () => port1.close(),
    };
    return { port1: page, port2 };
  }
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel: channelOfPage });
  for (let i = 0; i < 5; i++) await runtime.next();
  assertEquals(count, { made: 2, open: 2 }); // the first looked at the order
  for (const port of ports.slice(2)) port.close();
});

Deno.test("macrotask() uses setTimeout where messages come before microtasks", async () => {
  const { count, MessageChannel } = countingChannel(false);
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel });
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
  assertEquals(count, { made: 1, open: 0 });
});

Deno.test("macrotask() uses setTimeout where there is nothing else", async () => {
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel: undefined });
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
});

Deno.test("macrotask() tries each way again for the next call when the first one is lost", async () => {
  let lost = 0;
  function lossy() {
    return { port1: {}, port2: { postMessage: () => lost++ } };
  }
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel: lossy });
  runtime.module.macrotask(() => {});
  globals.MessageChannel = countingChannel().MessageChannel;
  assert(await comesAfterMicrotasks(runtime.next));
  assertEquals(lost, 1);
});

Deno.test("macrotask() calls the function that fake timers have replaced, if they were on at its import", async () => {
  const { MessageChannel, count } = countingChannel();
  using runtime = await inRuntime({ ...fakeClock(), MessageChannel });
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
  assertEquals<unknown>([runtime.module.macrotask, count.made], [realImmediate, 0]);
});

Deno.test("macrotask() calls the function that fake timers replace after its import", async () => {
  using runtime = await inRuntime({});
  Object.assign(globals, fakeClock());
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
});

Deno.test("macrotask() calls the setTimeout that fake timers replace, where there is nothing else", async () => {
  const { setTimeout } = fakeClock();
  using runtime = await inRuntime({ setImmediate: undefined, MessageChannel: undefined, setTimeout });
  for (let i = 0; i < 3; i++) assert(await comesAfterMicrotasks(runtime.next), `call ${i}`);
});

Deno.test("macrotask() uses a message channel if something else than fake timers replaces setImmediate", async () => {
  for (const fake of [() => {}, (function setImmediate() {}).bind(null)]) {
    const { count, MessageChannel } = countingChannel();
    using runtime = await inRuntime({ setImmediate: fake, MessageChannel });
    assert(await comesAfterMicrotasks(runtime.next));
    assertEquals(count, { made: 1, open: 0 });
  }
});
