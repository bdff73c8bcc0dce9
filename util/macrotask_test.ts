import { assertEquals } from "@std/assert";
import { macrotask, messageChannelMacrotask } from "./macrotask.ts";

/** A new instance of the module in a runtime without `setImmediate`, and the ports that it opens. */
async function withoutSetImmediate() {
  const globals = globalThis as { setImmediate?: unknown; MessageChannel: typeof MessageChannel };
  const real = { setImmediate: globals.setImmediate, MessageChannel };
  const ports: MessagePort[] = [];
  globals.setImmediate = undefined;
  globals.MessageChannel = class extends real.MessageChannel {
    constructor() {
      super();
      ports.push(this.port1, this.port2);
    }
  };
  return {
    macrotask: ((await import("./macrotask.ts?world=without" as string)) as { macrotask: typeof macrotask }).macrotask,
    ports,
    [Symbol.dispose]() {
      Object.assign(globals, real);
      for (const port of ports) port.close();
    },
  };
}

Deno.test("macrotask() calls back after all microtasks", async () => {
  const log: string[] = [];
  let chain: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < 100; i++) chain = chain.then(() => Promise.resolve());
  chain.then(() => log.push("drained"));
  await new Promise<void>(macrotask);
  assertEquals(log, ["drained"]);
});

Deno.test("macrotask() opens one message channel in a runtime without setImmediate, at the first call", async () => {
  using runtime = await withoutSetImmediate();
  const log: string[] = [];
  assertEquals(runtime.ports.length, 0);
  const both = ["a", "b"].map((name) => new Promise<void>(runtime.macrotask).then(() => log.push(name)));
  Promise.resolve().then(() => Promise.resolve()).then(() => log.push("drained"));
  await Promise.all(both);
  assertEquals([log, runtime.ports.length], [["drained", "a", "b"], 2]);
});

Deno.test("messageChannelMacrotask() calls back in order, each in a macrotask of its own", async () => {
  using runtime = await withoutSetImmediate();
  const later = messageChannelMacrotask();
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const name of ["a", "b"]) {
    later(() => {
      log.push(name);
      queueMicrotask(() => log.push(`after ${name}`));
    });
  }
  later(() => later(resolve));
  assertEquals(log, []);
  await promise;
  assertEquals([log, runtime.ports.length], [["a", "after a", "b", "after b"], 2]);
});
