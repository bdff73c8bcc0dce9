import { assertEquals } from "@std/assert";
import { hop, messageChannelHop } from "./macrotask.ts";

/** A module of its own, in whose world there is no `setImmediate`; and the ports that it opens. */
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
    hop: ((await import("./macrotask.ts?world=without" as string)) as { hop: typeof hop }).hop,
    ports,
    [Symbol.dispose]() {
      Object.assign(globals, real);
      for (const port of ports) port.close();
    },
  };
}

Deno.test("hop() calls back when all microtasks have drained", async () => {
  const log: string[] = [];
  let chain: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < 100; i++) chain = chain.then(() => Promise.resolve());
  chain.then(() => log.push("drained"));
  await new Promise<void>(hop);
  assertEquals(log, ["drained"]);
});

Deno.test("hop() takes one message channel where there is no setImmediate, and none before it is called", async () => {
  using world = await withoutSetImmediate();
  const log: string[] = [];
  assertEquals(world.ports.length, 0);
  const hops = ["a", "b"].map((name) => new Promise<void>(world.hop).then(() => log.push(name)));
  Promise.resolve().then(() => Promise.resolve()).then(() => log.push("drained"));
  await Promise.all(hops);
  assertEquals([log, world.ports.length], [["drained", "a", "b"], 2]);
});

Deno.test("messageChannelHop() calls back in order, each in a macrotask of its own", async () => {
  using world = await withoutSetImmediate();
  const hop = messageChannelHop();
  const log: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const name of ["a", "b"]) {
    hop(() => {
      log.push(name);
      queueMicrotask(() => log.push(`after ${name}`));
    });
  }
  hop(() => hop(resolve));
  assertEquals(log, []);
  await promise;
  assertEquals([log, world.ports.length], [["a", "after a", "b", "after b"], 2]);
});
