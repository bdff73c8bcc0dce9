/** Executors that share a store by leases: who runs what when one dies, stands still, comes back, or closes. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  CanceledError,
  Executor,
  type ExecutorOptions,
  InMemoryStore,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
  type WorkflowStore,
} from "@rockpool/workflow";
import { gate, settle } from "../support/executors.ts";

type Ctx = WorkflowContext;

const LEASE_MS = 1000;

interface Process extends Executor {
  /** The process stands still: its calls of the store get no answer before `resume()`. A process that died never resumes. */
  pause(): void;
  resume(): void;
  readonly appends: AppendBatch[];
}

/** Executors on one store, as processes have them. */
class World implements AsyncDisposable {
  readonly clock = new VirtualClock({ autoAdvance: false });
  readonly store = new InMemoryStore({ clock: this.clock });
  /** The activities that ran, in order: `process:name`. */
  readonly ran: string[] = [];
  readonly errors: unknown[] = [];
  readonly #all: [process: Process, isPaused: () => boolean][] = [];

  start(name: string, options: ExecutorOptions = {}): Process {
    const { store, paused, pause, resume, appends } = pausable(this.store);
    const executor = new Executor({
      store,
      clock: { // which nobody holds: a process that stands still does not stop the time
        now: () => this.clock.now(),
        setTimer: (dueAt, callback) => this.clock.setTimer(dueAt, callback),
      },
      leaseMs: LEASE_MS,
      random: () => 0.5,
      onError: (error) => void this.errors.push(error),
      ...options,
      workflows: { ...this.code(name), ...options.workflows },
    });
    const process = Object.assign(executor, { pause, resume, appends }) as Process;
    this.#all.push([process, paused]);
    return process;
  }

  /** The workflows, as a process has them. */
  code(name: string) {
    const note = (step: string) => void this.ran.push(`${name}:${step}`);
    return {
      async steps(ctx: Ctx) {
        await ctx.executeActivity(note, "one");
        await ctx.waitForSignal("go");
        await ctx.executeActivity(note, "two");
        return name;
      },
      async asleep(ctx: WorkflowContext<number>, ms: number) {
        await ctx.sleep(ms);
        await ctx.executeActivity(note, "awake");
        return name;
      },
    };
  }

  /** Moves the clock, step by step: timers that follow from each other fire in between. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      await this.clock.advance(Math.min(50, left));
      await settle();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [process, isPaused] of this.#all) if (!isPaused()) await process.close();
  }
}

/** A store that answers only while its process does not stand still. */
function pausable(inner: InMemoryStore) {
  let open: ReturnType<typeof gate<void>> | undefined;
  const appends: AppendBatch[] = [];
  const store = new Proxy(inner, {
    get(_, name: keyof WorkflowStore) {
      const method = inner[name as "load"];
      if (typeof method !== "function") return method;
      if (name === "subscribe") {
        return (listener: (...change: unknown[]) => void) =>
          inner.subscribe((...change) => open === undefined ? listener(...change) : undefined);
      }
      return async (...args: unknown[]) => {
        await open?.promise;
        if (name === "append") appends.push(args[0] as AppendBatch);
        const answer = await method.apply(inner, args as [string]);
        await open?.promise;
        return answer;
      };
    },
  });
  return {
    store,
    appends,
    paused: () => open !== undefined,
    pause: () => void (open ??= gate()),
    resume: () => {
      open?.open();
      open = undefined;
    },
  };
}

function leaseTest(name: string, body: (world: World) => Promise<void>): void {
  Deno.test(`leases: ${name}`, async () => {
    await using world = new World();
    await body(world);
  });
}

const statusOf = async (world: World, id: string) => (await world.store.load(id))?.status;

leaseTest("recover() leaves the runs of a living executor alone", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  assertEquals(await b.recover(), []);
  await world.pass(5 * LEASE_MS);
  assertEquals(await b.recover(), []);
  await b.signal("w", "go");
  await settle();
  assertEquals([world.ran, await statusOf(world, "w")], [["a:one", "a:two"], "completed"]);
});

leaseTest("recover() takes the runs of an executor that died, once its lease has ended", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  a.pause();
  await world.pass(2 * LEASE_MS);
  const [handle] = await b.recover();
  await handle.signal("go");
  assertEquals([await handle.result(), world.ran], ["b", ["a:one", "b:two"]]);
});

leaseTest("recover() takes the runs of an executor that died a moment ago when its lease has ended", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  a.pause();
  assertEquals(await b.recover(), []);
  await world.pass(2 * LEASE_MS);
  assertEquals(b.openRuns().map(({ workflowId }) => workflowId), ["w"]);
  await world.pass(5 * LEASE_MS);
});

leaseTest("recover() looks no more than twice beside executors that live", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await b.recover();
  await world.pass(3 * LEASE_MS);
  await a.close();
  await world.pass(3 * LEASE_MS);
  assertEquals([b.openRuns(), world.clock.pendingTimers], [[], 0]);
});

leaseTest("close() gives the runs back, so that another executor takes them at once", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  await a.close();
  assertEquals((await b.recover()).map(({ id }) => id), ["w"]);
});

leaseTest(
  "work() takes what is due of the dead, and of what is asleep only what has come to its time",
  async (world) => {
    const [a, b] = [world.start("a"), world.start("b")];
    await a.execute(world.code("a").steps, { id: "due" });
    await a.execute(world.code("a").asleep, { id: "asleep", input: 20_000 });
    await settle();
    a.pause();
    const work = b.work();
    await world.pass(3 * LEASE_MS);
    assertEquals(b.openRuns().map(({ workflowId }) => workflowId), ["due"]);
    await world.pass(20_000);
    assertEquals([world.ran, await statusOf(world, "asleep")], [["a:one", "b:awake"], "completed"]);
    await b.close();
    await work;
  },
);

leaseTest("work() takes a run that sleeps when something is delivered to it", async (world) => {
  const [a, b, client] = [world.start("a"), world.start("b"), world.start("client", { workflows: {} })];
  await a.execute(world.code("a").asleep, { id: "w", input: 60_000 });
  await settle();
  a.pause();
  const work = b.work();
  await world.pass(3 * LEASE_MS);
  assertEquals(b.openRuns(), []);
  await client.cancel("w");
  await world.pass(100);
  assertEquals(await statusOf(world, "w"), "canceled");
  await b.close();
  await work;
});

leaseTest("work() takes no more runs than maxRuns, and none whose code is not known", async (world) => {
  const a = world.start("a");
  const other = async function other(ctx: Ctx) {
    await ctx.waitForSignal("never");
  };
  await a.execute(other, { id: "unknown" });
  for (const id of ["1", "2", "3"]) await a.execute(world.code("a").steps, { id });
  await settle();
  await a.close();
  const [b, c] = [world.start("b"), world.start("c")];
  const work = [b.work({ maxRuns: 2 }), c.work()];
  await settle();
  const live = (one: Executor) => one.openRuns().map(({ workflowId }) => workflowId);
  assertEquals([live(b), live(c)], [["1", "2"], ["3"]]);
  await Promise.all([b.close(), c.close()]);
  await Promise.all(work);
});

leaseTest("work() ends when its signal is aborted, and live runs stay live", async (world) => {
  const a = world.start("a");
  await a.execute(world.code("a").steps, { id: "w" });
  const abort = new AbortController();
  const work = a.work({ signal: abort.signal });
  await settle();
  abort.abort();
  await work;
  assertEquals(a.openRuns().length, 1);
  const again = a.work(); // it can work again
  await a.close();
  await again;
});

leaseTest(
  "an executor that stood still for longer than its lease loses its runs, and writes nothing to them",
  async (world) => {
    const [a, b] = [world.start("a"), world.start("b")];
    const handle = await a.execute(world.code("a").steps, { id: "w" });
    const result = handle.result();
    await settle();
    a.pause();
    await world.pass(2 * LEASE_MS);
    await b.recover();
    await settle();
    a.resume();
    await world.pass(LEASE_MS);
    assertEquals(a.openRuns(), []);
    await a.signal("w", "go");
    await settle();
    // The handle of the first executor still gets the result: it is read from the store.
    assertEquals([await result, world.ran, handle.status], ["b", ["a:one", "b:two"], "completed"]);
  },
);

leaseTest("an append of an executor that does not know yet that it has lost a run is refused", async (world) => {
  const open = gate();
  const [a, b] = [world.start("a"), world.start("b")];
  const slow = async (ctx: Ctx) => {
    await ctx.executeActivity(async function work() {
      await open.promise;
    });
    return "late";
  };
  await a.execute(slow, { id: "w" });
  await settle();
  a.pause();
  await world.pass(2 * LEASE_MS);
  const b2 = world.start("b2", {
    workflows: { slow: async (ctx: Ctx) => await ctx.executeActivity(function work() {}) },
  });
  await b2.recover();
  open.open(); // the activity of the first one ends as well, and its outcome waits for the store
  await settle();
  a.resume();
  await settle();
  const events = (await world.store.load("w"))!.history.map(({ type }) => type);
  assertEquals(events, ["workflow_started", "activity_started", "activity_completed", "workflow_completed"]);
  await b.close();
});

leaseTest("an executor whose lease ended keeps its runs if nobody else has claimed meanwhile", async (world) => {
  const a = world.start("a");
  const handle = await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  a.pause();
  await world.pass(10 * LEASE_MS);
  a.resume();
  await settle();
  await handle.signal("go");
  assertEquals([await handle.result(), world.ran], ["a", ["a:one", "a:two"]]);
});

leaseTest("of many executors that work, one runs each workflow", async (world) => {
  const dead = world.start("dead");
  for (let i = 0; i < 40; i++) await dead.execute(world.code("dead").steps, { id: `${i}` });
  await settle();
  dead.pause();
  const workers = ["b", "c", "d"].map((name) => world.start(name));
  const works = workers.map((one) => one.work());
  await world.pass(3 * LEASE_MS);
  assertEquals(workers.flatMap((one) => one.openRuns()).length, 40);
  await Promise.all(Array.from({ length: 40 }, (_, i) => workers[i % 3].signal(`${i}`, "go")));
  await world.pass(100);
  const ran = world.ran.map((one) => one.split(":")[1]);
  assertEquals(ran.filter((step) => step === "one").length, 40);
  assertEquals(ran.filter((step) => step === "two").length, 40);
  assertEquals((await world.store.list({ status: "completed" })).length, 40);
  await Promise.all(workers.map((one) => one.close()));
  await Promise.all(works);
});

leaseTest("a run that was suspended because the store failed is taken again by work()", async (world) => {
  const a = world.start("a", { storeRetry: { maxAttempts: 1 } });
  const work = a.work();
  await a.execute(world.code("a").steps, { id: "w" });
  await settle();
  const { append } = world.store;
  world.store.append = () => Promise.reject(new Error("the disk is full"));
  await assertRejects(() => a.signal("w", "go"), WorkflowError);
  assertEquals(a.openRuns(), []);
  world.store.append = append;
  await world.pass(2000);
  await a.signal("w", "go");
  await settle();
  assertEquals([world.ran, await statusOf(world, "w")], [["a:one", "a:two"], "completed"]);
  await a.close();
  await work;
});

leaseTest(
  "recover() gives a handle that rejects for a workflow whose code is not known, and releases it at close()",
  async (world) => {
    const [a, b] = [world.start("a"), world.start("b")];
    async function other(ctx: Ctx) {
      await ctx.waitForSignal("go");
    }
    await a.execute(other, { id: "w" });
    await a.close();
    const [handle] = await b.recover();
    const error = await assertRejects(() => handle.result(), WorkflowError);
    assertEquals(error.code, "unknown_workflow");
    await b.close();
    const c = world.start("c", { workflows: { other } });
    assertEquals((await c.recover()).length, 1);
  },
);

leaseTest("an activity gets a fence that grows with each executor that takes its run over", async (world) => {
  const fences: number[] = [];
  const workflows = {
    fenced: async (ctx: Ctx) => {
      for (;;) {
        await ctx.executeActivity((_: null, { fence }) => void fences.push(fence), null);
        await ctx.waitForSignal("go");
      }
    },
  };
  const a = world.start("a", { workflows });
  await a.execute(workflows.fenced, { id: "w" });
  await settle();
  await a.close();
  for (const name of ["b", "c"]) {
    const next = world.start(name, { workflows });
    await next.recover();
    await next.signal("w", "go");
    await settle();
    await next.close();
  }
  assert(fences.length === 3 && fences[0] === 0 && fences[0] < fences[1] && fences[1] < fences[2], `${fences}`);
});

const appended = (one: Process) =>
  one.appends.map(({ events }) => events.map(({ type }) => type).join()).filter(Boolean);

leaseTest("an activity that ends soon is stored together with its end", async (world) => {
  const a = world.start("a");
  const steps = async (ctx: Ctx) => {
    await ctx.executeActivity(() => 1);
    await Promise.all([ctx.executeActivity(() => 2), ctx.executeActivity(() => Promise.resolve(3))]);
    await ctx.executeActivity(() => Promise.reject(new Error("no"))).catch(() => {});
  };
  await (await a.execute(steps, { id: "w" })).result();
  const [started, completed] = ["activity_started", "activity_completed"];
  const types = (await world.store.load("w"))!.history.map(({ type }) => type);
  assertEquals(types.filter((type) => type === started).length, 4);
  assertEquals(appended(a)[1], [started, completed].join());
  assert(!appended(a).includes(started), `${appended(a)}`);
});

leaseTest("an activity that takes long is stored as started after some time", async (world) => {
  const a = world.start("a");
  const open = gate();
  const handle = await a.execute((ctx: Ctx) => ctx.executeActivity(() => open.promise), { id: "w" });
  await settle();
  assertEquals(appended(a), ["workflow_started"]);
  await world.pass(100);
  assertEquals(appended(a), ["workflow_started", "activity_started"]);
  open.open();
  await handle.result();
  assertEquals(appended(a).length, 4);
});

leaseTest("an activity with atMostOnce is stored before it runs", async (world) => {
  const a = world.start("a");
  const seen: string[] = [];
  const work = async (ctx: Ctx) =>
    await ctx.executeActivity(() => void seen.push(...appended(a)), undefined, { atMostOnce: true });
  await (await a.execute(work, { id: "w" })).result();
  assertEquals(seen, ["workflow_started", "activity_started"]);
});

leaseTest("an activity that was not stored runs again with the same key, at the same position", async (world) => {
  const keys: string[] = [];
  const open = gate();
  const workflows = {
    slow: async (ctx: Ctx) => {
      await ctx.executeActivity(async function charge(_: null, { idempotencyKey }) {
        keys.push(idempotencyKey);
        if (keys.length === 1) await open.promise;
      }, null);
      return await ctx.waitForSignal("go");
    },
  };
  const [a, b] = [world.start("a", { workflows }), world.start("b", { workflows })];
  await a.execute(workflows.slow, { id: "w" });
  await settle();
  a.pause(); // it dies
  await world.pass(2 * LEASE_MS);
  await b.signal("w", "go", "early"); // the history goes on in another order than the code of the first process saw
  const [handle] = await b.recover();
  assertEquals([await handle.result(), keys.length, new Set(keys).size], ["early", 2, 1]);
  open.open();
});

leaseTest("an activity that was not stored and is cancelled runs again: its outcome is known", async (world) => {
  const open = gate();
  const code = (name: string) => ({
    async saga(ctx: Ctx) {
      ctx.addCompensation((undo) => undo.executeActivity(() => void world.ran.push(`${name}:undo`)));
      await ctx.executeActivity(async (_: null, { signal }) => {
        world.ran.push(`${name}:charge ${signal.aborted ? "canceled" : ""}`);
        await open.promise;
      }, null);
    },
  });
  const a = world.start("a", { workflows: code("a") });
  const b = world.start("b", { workflows: code("b") });
  await a.execute(code("a").saga, { id: "w" });
  await settle();
  a.pause(); // it dies
  assertEquals(appended(a), ["workflow_started"]);
  await world.pass(2 * LEASE_MS);
  await b.cancel("w");
  const [handle] = await b.recover();
  await settle();
  open.open();
  await assertRejects(() => handle.result(), CanceledError);
  assertEquals(world.ran, ["a:charge ", "b:charge canceled", "b:undo"]);
});

leaseTest("a run that has given up a child is due at once: its next owner closes the child", async (world) => {
  const child = (ctx: Ctx) => ctx.waitForSignal("never");
  const workflows = {
    child,
    async parent(ctx: Ctx) {
      const scope = (inner: Ctx) => inner.startChild(child, undefined, { id: "c" }).result();
      await ctx.scope(scope, { timeoutMs: 50 }).catch(() => {});
      await ctx.sleep(1_000_000);
    },
  };
  const a = world.start("a", { workflows });
  await a.execute(workflows.parent, { id: "w" });
  await world.pass(100);
  const { events, wakeAt } = a.appends.findLast(({ workflowId, events }) => workflowId === "w" && events.length > 0)!;
  assertEquals([events.map(({ type }) => type), wakeAt], [["timer_started"], undefined]);
});

leaseTest("a signal stores what waits", async (world) => {
  const a = world.start("a");
  const open = gate();
  const slow = async (ctx: Ctx) => {
    await ctx.executeActivity(() => open.promise);
    return await ctx.waitForSignal("go");
  };
  const handle = await a.execute(slow, { id: "w" });
  await settle();
  await handle.signal("go", 1);
  assertEquals(appended(a), ["workflow_started", "activity_started,signal_received"]);
  open.open();
  assertEquals(await handle.result(), 1);
});

leaseTest("an executor that stood still begins no activity before it knows that its lease lives", async (world) => {
  const code = (name: string) => ({
    async flaky(ctx: Ctx) {
      const retry = { maxAttempts: 2, initialIntervalMs: 1.5 * LEASE_MS };
      await ctx.executeActivity(
        function work(_: null, { attempt }) {
          world.ran.push(`${name}:${attempt}`);
          if (attempt === 1) throw new Error("busy");
        },
        null,
        { retry },
      );
    },
  });
  const [a, b] = ["a", "b"].map((name) => world.start(name, { workflows: code(name) }));
  await a.execute(code("a").flaky, { id: "w" });
  await settle();
  a.pause();
  await world.pass(2 * LEASE_MS);
  await b.recover();
  await world.pass(50);
  a.resume();
  await world.pass(LEASE_MS);
  assertEquals([world.ran, a.openRuns()], [["a:1", "b:2"], []]);
});

leaseTest(
  "an attempt that waits for the lease begins once it is renewed, if nobody else has claimed",
  async (world) => {
    const retry = { maxAttempts: 2, initialIntervalMs: 1.5 * LEASE_MS };
    const a = world.start("a", { maxConcurrentActivities: 1 });
    const handle = await a.execute(async (ctx: Ctx) => {
      return await ctx.executeActivity((_: null, { attempt }) => attempt === 1 ? Promise.reject(1) : attempt, null, {
        retry,
      });
    }, { id: "w" });
    await settle();
    a.pause();
    await world.pass(2 * LEASE_MS);
    a.resume();
    await world.pass(LEASE_MS);
    assertEquals(handle.status, "completed");
    assertEquals(await (await a.execute((ctx: Ctx) => ctx.executeActivity(() => "next"))).result(), "next");
  },
);

/** Replaces a method of the store for its next calls, one function for each. */
function nextCalls<Name extends "claim" | "renew">(store: InMemoryStore, name: Name, ...calls: InMemoryStore[Name][]) {
  const real = store[name].bind(store) as (...args: unknown[]) => unknown;
  store[name] = ((...args: unknown[]) => ((calls.shift() ?? real) as typeof real)(...args)) as InMemoryStore[Name];
  return real as InMemoryStore[Name];
}

leaseTest("execute() succeeds although the store fails while the lease begins", async (world) => {
  nextCalls(world.store, "claim", () => Promise.reject(new Error("the network is down")));
  const handle = world.start("a").execute(() => 1);
  await world.pass(LEASE_MS);
  assertEquals(await (await handle).result(), 1);
});

leaseTest("work() runs what a claim has taken whose answer was lost", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await b.execute(world.code("b").steps, { id: "other" });
  await a.close();
  const claim = nextCalls(world.store, "claim", async (options) => {
    await claim(options);
    throw new Error("the answer is lost");
  });
  const work = b.work();
  await world.pass(3 * LEASE_MS);
  assertEquals(b.openRuns().map(({ workflowId }) => workflowId).sort(), ["other", "w"]);
  await b.close();
  await work;
});

leaseTest("work() takes a run again whose history could not be read when it was claimed", async (world) => {
  const [a, b] = [world.start("a"), world.start("b", { storeRetry: { maxAttempts: 1 } })];
  await a.execute(world.code("a").steps, { id: "w" });
  await a.close();
  const { load } = world.store;
  world.store.load = () => Promise.reject(new Error("the network is down"));
  const work = b.work();
  await settle();
  world.store.load = load;
  await world.pass(3 * LEASE_MS);
  assertEquals(b.openRuns().length, 1);
  await b.close();
  await work;
});

leaseTest("work() takes a run again that it has read as an earlier run of the chain", async (world) => {
  const again = {
    async again(ctx: WorkflowContext<number>, n: number): Promise<void> {
      await ctx.waitForSignal("go");
      await ctx.continueAsNew(n + 1);
    },
  };
  const [a, b] = ["a", "b"].map((name) => world.start(name, { workflows: again }));
  await a.execute(again.again, { id: "w", input: 1 });
  await settle();
  const old = await world.store.load("w");
  await a.signal("w", "go");
  await settle();
  await a.close();
  const load = world.store.load.bind(world.store);
  let reads = 0;
  world.store.load = (id) => ++reads === 1 ? Promise.resolve(old) : load(id);
  const work = b.work();
  await world.pass(3 * LEASE_MS);
  assertEquals(b.openRuns().map(({ runId }) => runId), [(await load("w"))!.runId]);
  await b.close();
  await work;
});

leaseTest(
  "an executor whose late claim began its lost lease again leaves the runs that others have taken",
  async (world) => {
    const [a, b] = [world.start("a"), world.start("b")];
    await a.execute(world.code("a").steps, { id: "w" });
    const work = a.work({ pollMs: 250 });
    await world.pass(0.7 * LEASE_MS);
    a.pause(); // the next claim reaches the store when the process resumes
    await world.pass(2 * LEASE_MS);
    assertEquals((await b.recover()).length, 1);
    a.resume();
    await world.pass(2 * LEASE_MS);
    assertEquals([a.openRuns().length, b.openRuns().length], [0, 1]);
    await a.close();
    await work;
  },
);

leaseTest("a renewal that is never answered stops no later one", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  nextCalls(world.store, "renew", () => new Promise(() => {}));
  await world.pass(2 * LEASE_MS);
  await a.execute(world.code("a").steps, { id: "next" });
  assertEquals([await b.recover(), a.openRuns().length], [[], 2]);
});

leaseTest("a claim that is never answered stops no later one, and not close()", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await b.execute(world.code("b").steps, { id: "other" });
  await a.close();
  const never = () => new Promise<never>(() => {});
  nextCalls(world.store, "claim", never, never);
  const work = b.work();
  await world.pass(6 * LEASE_MS);
  assertEquals(b.openRuns().length, 2);
  nextCalls(world.store, "claim", never);
  await world.pass(LEASE_MS);
  const closed = b.close();
  await world.pass(3 * LEASE_MS);
  await Promise.all([closed, work]);
});

leaseTest("recover() and work() end their look if the store answers each claim with the same runs", async (world) => {
  const [a, b] = [world.start("a"), world.start("b")];
  await a.execute(world.code("a").steps, { id: "w" });
  await a.close();
  let claims = 0;
  const claim = world.store.claim.bind(world.store);
  const head = (await world.store.heads()).heads[0];
  world.store.claim = (options) =>
    options.limit === 0 ? claim(options) : Promise.resolve(
      ++claims > 20 ? [] : Array.from({ length: options.limit }, () => ({ ...head, fence: 1 })),
    );
  assertEquals((await b.recover()).length, 1);
  const work = b.work();
  await settle();
  assert(claims <= 4, `${claims} claims`);
  await b.close();
  await work;
});

for (const how of ["execute", "recover"] as const) {
  leaseTest(`an executor renews its lease for a run that becomes live by ${how}() while it is idle`, async (world) => {
    const [a, b, dead] = ["a", "b", "dead"].map((name) => world.start(name));
    await (await a.execute(() => 0)).result(); // its lease begins
    if (how === "recover") await dead.execute(world.code("dead").steps, { id: "w" });
    await dead.close();
    await world.pass(LEASE_MS * 3 / 4); // the time of a renewal passes without one
    a.pause(); // the store is slow: the timer of the renewal comes first, and finds no run
    const begun = how === "recover" ? a.recover() : a.execute(world.code("a").steps, { id: "w" });
    await world.pass(50);
    a.resume();
    await begun;
    await world.pass(3 * LEASE_MS);
    assertEquals([(await b.recover()).length, a.openRuns().length], [0, 1]);
  });
}

leaseTest("an idle executor renews no lease and holds no timer", async (world) => {
  const a = world.start("a");
  const handle = await a.execute(world.code("a").steps, { id: "w" });
  await handle.signal("go");
  await handle.result();
  assertEquals(world.clock.pendingTimers, 0); // else a process that is done would not end
  await world.pass(3 * LEASE_MS);
  assertEquals(world.clock.pendingTimers, 0);
  const end = new AbortController();
  const working = a.work({ signal: end.signal });
  await settle();
  end.abort();
  await working;
  assertEquals(world.clock.pendingTimers, 0);
});

Deno.test("leases: an executor alone on an InMemoryStore uses none", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  let claims = 0;
  store.claim = () => Promise.reject(new Error(`${++claims}`));
  await using executor = new Executor({ store, clock });
  const handle = await executor.execute((ctx: Ctx) => ctx.sleep(5));
  await handle.result();
  assertEquals(claims, 0);
});

Deno.test("Executor.work() is unsupported without leases", async () => {
  await using executor = new Executor();
  const { code, message } = await assertRejects(() => executor.work(), WorkflowError);
  assertEquals([code, message], [
    "unsupported",
    'Cannot work: the executor has no leases: give it a store that processes share, or the option "leaseMs"',
  ]);
});

Deno.test("Executor.work() refuses an executor that knows no workflow, and would take none for ever", async () => {
  await using executor = new Executor({ store: new InMemoryStore({ leaseMs: LEASE_MS }) });
  const { message } = await assertRejects(() => executor.work(), TypeError);
  assertEquals(message, 'Cannot work: the executor knows no workflow; pass those that it takes in "workflows"');
});

Deno.test("Executor refuses leaseMs with a store that has no leases", () => {
  const { save, load, list, delete: remove, append } = new InMemoryStore();
  const store = { save, load, list, delete: remove, append };
  try {
    new Executor({ store, leaseMs: 5 });
    throw new Error("accepted");
  } catch (error) {
    assertEquals(
      (error as Error).message,
      'Cannot create an executor: "leaseMs" needs a store with the method "claim"; 0 is without leases',
    );
  }
});

Deno.test("leases: an executor with a clock of its own has none by default, so that a virtual clock comes to rest", async () => {
  const store = new InMemoryStore({ leaseMs: LEASE_MS });
  const clock = new VirtualClock();
  await using executor = new Executor({ store, clock });
  await executor.execute((ctx: Ctx) => ctx.waitForSignal("go"), { id: "w" });
  await clock.whenIdle();
  assertEquals([clock.now(), clock.pendingTimers], [0, 0]);
});
