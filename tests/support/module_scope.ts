/**
 * Imports the package and constructs what users construct at module scope, in a world where timers, random numbers, the time and
 * I/O throw: a worker forbids them there. Then the executor is used.
 *
 * `module_scope_test.ts` runs this module in a process of its own, in which nothing has been imported before.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };

const used: string[] = [];
const restore: (() => void)[] = [];

/** Replaces members of a global object by functions that throw. */
function forbid(owner: object, name: string, members: string[]): void {
  for (const member of members) {
    const real = Object.getOwnPropertyDescriptor(owner, member)!;
    const forbidden = function (): never {
      used.push(`${name}${member}`);
      throw new Error(`${name}${member} was used at module scope`);
    };
    Object.defineProperty(owner, member, { value: forbidden, configurable: true, writable: true });
    restore.push(() => Object.defineProperty(owner, member, real));
  }
}

const globals = ["setTimeout", "clearTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"];
forbid(globalThis, "", [...globals, "MessageChannel", "BroadcastChannel", "Worker"]);
forbid(Date, "Date.", ["now"]);
forbid(Math, "Math.", ["random"]);
forbid(Crypto.prototype, "crypto.", ["getRandomValues", "randomUUID"]);
forbid(Performance.prototype, "performance.", ["now"]);
forbid(AbortSignal, "AbortSignal.", ["timeout"]);

for (const path of Object.values(config.exports)) await import(`../../${path}`);
const { Executor, InMemoryStore, RWLock, VirtualClock } = await import("../../mod.ts");
const executors = [
  new Executor(),
  new Executor({ store: new InMemoryStore({ maxWorkflows: 50 }), maxConcurrentActivities: 2, dormantAfterMs: 1000 }),
  new Executor({ clock: new VirtualClock() }),
];
new RWLock();

for (const undo of restore) undo();
for (const executor of executors) {
  const handle = await executor.execute((ctx) => ctx.executeActivity(() => 5));
  if (await handle.result() !== 5) throw new Error("An executor from module scope returned the wrong result");
  await executor.close();
}
console.log(used.length === 0 ? "nothing was used" : used.join());
