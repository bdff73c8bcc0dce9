import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers/promises";
import { replaceGlobals } from "../tests/support/globals.ts";
import { VirtualClock } from "../clock.ts";
import { Timers } from "./timers.ts";
import { Turns } from "./turns.ts";

/** A clock that records the calls of `hold` and `release`. */
function setUp() {
  const log: string[] = [];
  const clock = {
    now: () => 0,
    setTimer: () => () => {},
    hold: () => void log.push("hold"),
    release: () => void log.push("release"),
  };
  return { log, clock, turns: new Turns(clock, (error) => log.push(`reported ${error}`)) };
}

/** Lets some macrotasks pass. */
async function passMacrotasks(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

Deno.test("Turns.later() ends the turn when all microtasks have drained", async () => {
  const { turns } = setUp();
  const log: string[] = [];
  turns.later({ endTurn: () => log.push("end") });
  let chain: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < 100; i++) chain = chain.then(() => Promise.resolve());
  chain.then(() => queueMicrotask(() => log.push("drained")));
  assertEquals(log, []);
  await passMacrotasks();
  assertEquals(log, ["drained", "end"]);
});

Deno.test("Turns.later() ends all turns in order", async () => {
  const { turns, log } = setUp();
  for (const name of ["a", "b", "c"]) turns.later({ endTurn: () => log.push(name) });
  await passMacrotasks();
  assertEquals(log, ["hold", "a", "b", "c", "release"]);
});

/** Calls that are made, each of which notes how many macrotasks of others there were before it. */
async function spread(begin: (turns: Turns, work: (i: number) => void) => void) {
  const { turns, log } = setUp();
  const calls: [i: number, macrotask: number][] = [];
  let macrotask = 0;
  const others = (async () => {
    for (; calls.length < 1000; macrotask++) await setImmediate();
  })();
  begin(turns, (i) => calls.push([i, macrotask]));
  await others;
  await passMacrotasks();
  assertEquals(log, ["hold", "release"]); // held until the last one
  assertEquals(calls.map(([i]) => i), [...Array(1000).keys()]);
  const perMacrotask = Map.groupBy(calls, ([, macrotask]) => macrotask);
  return Math.max(...Array.from(perMacrotask.values(), (calls) => calls.length));
}

Deno.test("Turns begins at most 256 pieces of work in a macrotask, the rest later in order", async () => {
  const ways = {
    begin: (turns: Turns, work: (i: number) => void) => {
      for (let i = 0; i < 1000; i++) turns.later({ endTurn: () => work(i) });
    },
    take: (turns: Turns, work: (i: number) => void) => {
      for (let i = 0; i < 1000; i++) turns.take() ? work(i) : turns.later(() => work(i));
    },
    room: async (turns: Turns, work: (i: number) => void) => {
      for (let i = 0; i < 1000; i++) {
        const room = turns.room();
        if (room !== undefined) await room;
        work(i);
      }
    },
    repeat: (turns: Turns, work: (i: number) => void) => {
      let i = 0;
      turns.repeat(() => {
        work(i++);
        return i < 1000;
      });
    },
  };
  for (const [name, way] of Object.entries(ways)) assertEquals(await spread(way), 256, name);
});

Deno.test("Turns.take() counts the pieces of a macrotask anew in the next one", async () => {
  const { turns } = setUp();
  for (let i = 0; i < 20; i++) {
    for (let j = 0; j < 128; j++) assert(turns.take(), `${i} ${j}`);
    await setImmediate();
    await setImmediate();
  }
});

Deno.test("Turns.take() of little work requests no macrotask", async () => {
  const { turns, log } = setUp();
  for (let i = 0; i < 100; i++) assert(turns.take());
  await passMacrotasks();
  assertEquals(log, []);
});

Deno.test("Turns.later() called in endTurn() ends the new turn in a later macrotask", async () => {
  const { turns, log } = setUp();
  const second = { endTurn: () => log.push("second") };
  turns.later({
    endTurn() {
      log.push("first");
      turns.later(second);
      queueMicrotask(() => log.push("microtask"));
    },
  });
  await passMacrotasks();
  assertEquals(log, ["hold", "first", "microtask", "second", "release"]);
});

Deno.test("Turns.enter() and leave() hold the clock while there is work and release it in a later macrotask", async () => {
  const { turns, log } = setUp();
  turns.enter();
  turns.enter();
  turns.leave();
  await passMacrotasks();
  assertEquals(log, ["hold"]);
  turns.leave();
  assertEquals(log, ["hold"]);
  await passMacrotasks();
  assertEquals(log, ["hold", "release"]);
});

Deno.test("Turns.beginActivity() and endActivity() hold the clock separately from the work of the executor", async () => {
  const log: string[] = [];
  const note = (what: string) => (working?: boolean) => void log.push(working ? `${what} working` : what);
  const turns = new Turns({ now: () => 0, setTimer: () => () => {}, hold: note("hold"), release: note("release") });
  turns.beginActivity();
  await passMacrotasks();
  turns.endActivity();
  log.push("ended");
  await passMacrotasks();
  assertEquals(log, ["hold", "hold working", "release", "ended", "release working"]);
});

Deno.test("Turns.enter() keeps holding the clock when it is called before the release", async () => {
  const { turns, log } = setUp();
  turns.enter();
  turns.leave();
  turns.enter();
  await passMacrotasks();
  assertEquals(log, ["hold"]);
  turns.leave();
  turns.enter();
  turns.leave();
  await passMacrotasks();
  assertEquals(log, ["hold", "release"]);
});

Deno.test("Turns.leave() lets callers that wait for the work run before the clock is released", async () => {
  const { turns, log } = setUp();
  turns.enter();
  const waiting = (async () => {
    for (let i = 0; i < 50; i++) await null;
    turns.enter();
    log.push("spoke");
  })();
  turns.leave();
  await waiting;
  await passMacrotasks();
  assertEquals(log, ["hold", "spoke"]);
  turns.leave();
  await passMacrotasks();
});

Deno.test("Turns.enter() holds the clock again after it was released", async () => {
  const { turns, log } = setUp();
  for (let i = 0; i < 2; i++) {
    turns.enter();
    turns.leave();
    await passMacrotasks();
  }
  assertEquals(log, ["hold", "release", "hold", "release"]);
});

Deno.test("Turns.enter() can be called while the clock is being released", async () => {
  const { turns, log, clock } = setUp();
  clock.release = () => {
    log.push("release");
    if (log.length < 4) turns.enter(), turns.leave();
  };
  turns.enter();
  turns.leave();
  await passMacrotasks();
  assertEquals(log, ["hold", "release", "hold", "release"]);
});

Deno.test("Turns.during() holds the clock until the promise settles, and returns its outcome", async () => {
  const { turns, log } = setUp();
  const { promise, resolve } = Promise.withResolvers<number>();
  const during = turns.during(promise);
  await passMacrotasks();
  assertEquals(log, ["hold"]);
  resolve(5);
  assertEquals(await during, 5);
  assertEquals(await turns.during(Promise.reject("no")).catch((reason) => reason), "no");
  await passMacrotasks();
  assertEquals(log, ["hold", "release"]);
});

Deno.test("Turns works with a clock that cannot be held", async () => {
  const turns = new Turns({ now: () => 0, setTimer: () => () => {} });
  let ended = 0;
  const promise = Promise.resolve();
  assert(turns.during(promise) === promise);
  for (let i = 0; i < 3; i++) {
    turns.later({ endTurn: () => ended++ });
    turns.enter();
    turns.leave();
    await passMacrotasks();
  }
  assertEquals(ended, 3);
});

Deno.test("Turns.later() ends the turn when globalThis.setImmediate is replaced later", async () => {
  const { turns, log } = setUp();
  const globals = globalThis as { setImmediate?: unknown };
  const real = globals.setImmediate;
  globals.setImmediate = () => {};
  try {
    turns.later({ endTurn: () => log.push("end") });
    await passMacrotasks();
  } finally {
    globals.setImmediate = real;
  }
  assertEquals(log, ["hold", "end", "release"]);
});

Deno.test("Turns.later() ends turns of one macrotask without draining microtasks between them", async () => {
  const { turns } = setUp();
  const log: string[] = [];
  const endTurn = () => {
    log.push("end");
    queueMicrotask(() => log.push("the macrotask is over"));
  };
  for (let i = 0; i < 100; i++) turns.later({ endTurn });
  await passMacrotasks();
  assertEquals(log, [...Array(100).fill("end"), ...Array(100).fill("the macrotask is over")]);
});

const fail = () => {
  throw "bad";
};

Deno.test("Turns.later() reports work that throws, and goes on with the next", async () => {
  const { turns, log } = setUp();
  turns.later({ endTurn: fail });
  turns.later(fail);
  turns.later(() => log.push("next"));
  await passMacrotasks();
  assertEquals(log, ["hold", "reported bad", "reported bad", "next", "release"]);
});

Deno.test("Turns.repeat() reports a step that throws, and goes on with the next", async () => {
  const { turns, log } = setUp();
  const steps = [fail, () => log.push("next"), fail, () => false, () => log.push("too far")];
  turns.repeat(() => Boolean(steps.shift()!()));
  for (let i = 0; i < 256; i++) turns.take();
  const later = [fail, () => log.push("later"), () => false];
  turns.repeat(() => Boolean(later.shift()!()));
  await passMacrotasks();
  assertEquals(log, ["reported bad", "next", "reported bad", "hold", "reported bad", "later", "release"]);
});

Deno.test("Timers fire, and are set, although a callback throws", async () => {
  const reported: unknown[] = [];
  const log: string[] = [];
  const clock = new VirtualClock();
  const turns = new Turns(clock, (error) => reported.push(error));
  const timers = new Timers(clock, turns);
  timers.set(1, fail);
  for (const at of [1, 2]) timers.set(at, () => log.push(`at ${clock.now()}`));
  clock.hold();
  clock.release(); // the clock jumps
  await passMacrotasks();
  timers.set(3, () => log.push(`at ${clock.now()}`));
  clock.hold();
  clock.release();
  await passMacrotasks();
  assertEquals([reported, log, clock.idle], [["bad"], ["at 1", "at 2", "at 3"], true]);
});

Deno.test("Turns.call() requests the next macrotask again, and only the first that comes does anything", async () => {
  using _runtime = replaceGlobals({ navigator: { userAgent: "Cloudflare-Workers" } });
  const { turns, log } = setUp();
  const endTurn = (name: string) => ({
    endTurn() {
      log.push(name);
      if (name === "first") turns.later(endTurn("second"));
      queueMicrotask(() => log.push(`after ${name}`));
    },
  });
  turns.later(endTurn("first"));
  for (let i = 0; i < 5; i++) turns.call();
  await passMacrotasks();
  assertEquals(log, ["hold", "first", "after first", "second", "after second", "release"]);
});
