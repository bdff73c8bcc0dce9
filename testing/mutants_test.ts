import { assertEquals, assertRejects } from "@std/assert";
import { type ActivityContext, VirtualClock, type WorkflowContext } from "@rockpool/workflow";
import { crashTest, mutants, replace, TestExecutor } from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

let world = { paid: 0, keys: new Set<string>(), log: [] as string[] };
const pay = (cents: number) => void (world.paid += cents);
const payOnce = (cents: number, { idempotencyKey }: ActivityContext) => {
  if (!world.keys.has(idempotencyKey)) world.paid += cents;
  world.keys.add(idempotencyKey);
};
const refund = () => void (world.paid = 0);
const fail = () => {
  throw new Error("no seat");
};
const setUp = () => void (world = { paid: 0, keys: new Set(), log: [] });

/** Runs a workflow, and returns its result or the message of its error. */
async function run(
  workflow: (ctx: WorkflowContext<unknown>, input: unknown) => unknown,
  signals: readonly string[] = [],
): Promise<unknown> {
  setUp();
  return await TestExecutor.use(async (executor) => {
    const sent = signals.map((payload) => ({ name: "item", payload }));
    const handle = await executor.execute(workflow, { id: "a", signals: sent });
    return await handle.result().catch((error) => {
      if (error.name === "DeadlockError") throw error;
      return error.message;
    });
  });
}

Deno.test("mutants() runs an activity twice: a service without a key is found, one with a key is not", async () => {
  const order = (activity: typeof payOnce) => (ctx: Ctx) => ctx.executeActivity(activity, 5, { name: "pay" });
  const test = async (workflow: (ctx: WorkflowContext<unknown>, input: unknown) => unknown) => {
    await run(workflow);
    assertEquals(world.paid, 5);
  };
  assertEquals(await mutants(order(pay), test), { killed: ['activity "pay" runs twice'], survived: [], stuck: [] });
  assertEquals(await mutants(order(payOnce), test), { killed: [], survived: ['activity "pay" runs twice'], stuck: [] });
});

Deno.test("mutants() drops and moves compensations, also in scopes", async () => {
  const trip = (ctx: Ctx) =>
    ctx.scope(async (ctx) => {
      ctx.addCompensation((ctx) => ctx.executeActivity(refund), { name: "refund" });
      await ctx.executeActivity(payOnce, 5);
      await ctx.executeActivity(fail);
    });
  const { killed, survived } = await mutants(trip, async (workflow) => {
    assertEquals([await run(workflow), world.paid], ["no seat", 0]);
  });
  assertEquals(killed, ['compensation "refund" is dropped']);
  assertEquals(survived, [
    'activity "payOnce" runs twice',
    'activity "fail" runs twice',
    'activity "refund" runs twice',
    'compensation "refund" is added after the next activity', // no test fails at that activity
  ]);
});

for (const way of ["receiveSignal", "handleSignal"] as const) {
  Deno.test(`mutants() swaps signals of ${way}, and says that a workflow is stuck`, async () => {
    async function cart(ctx: Ctx) {
      const items: unknown[] = [];
      if (way === "handleSignal") ctx.handleSignal("item", (item: unknown) => void items.push(item));
      else {ctx.spawn(async (ctx) => {
          for await (const item of ctx.receiveSignal("item")) items.push(item);
        });}
      await ctx.waitUntil(() => items.at(-1) === "end");
      return items.join(" ");
    }
    const sorted = await mutants(cart, async (workflow) => {
      assertEquals(await run(workflow, ["a", "b", "end"]), "a b end");
    });
    assertEquals(sorted, { killed: ['the first two signals "item" are swapped'], survived: [], stuck: [] });
    const stuck = await mutants(cart, async (workflow) => {
      assertEquals(await run(workflow, ["a", "end"]), "a end");
    });
    assertEquals(stuck.stuck, ['the first two signals "item" are swapped']);
  });
}

Deno.test("mutants() loses heartbeats", async () => {
  const copy = (_: unknown, { heartbeat, heartbeatDetails, attempt }: ActivityContext) => {
    if (attempt === 1) {
      heartbeat(7);
      throw new Error("interrupted");
    }
    return heartbeatDetails ?? 0;
  };
  const { killed } = await mutants(
    (ctx: Ctx) => ctx.executeActivity(copy, undefined, { retry: { maxAttempts: 2 } }),
    async (workflow) => assertEquals(await run(workflow), 7),
  );
  assertEquals(killed, ['the heartbeats of activity "copy" are lost']);
});

Deno.test("mutants() loses heartbeats that keep an activity from timing out", async () => {
  const copy = async (_: unknown, { heartbeat }: ActivityContext) => {
    for (let i = 0; i < 3; i++) {
      heartbeat();
      await new Promise<void>((resolve) => clock.setTimer(clock.now() + 60, resolve));
    }
    return "copied";
  };
  let clock: VirtualClock;
  const { killed } = await mutants(
    (ctx: Ctx) => ctx.executeActivity(copy, undefined, { heartbeatTimeoutMs: 100 }),
    async (workflow) => {
      clock = new VirtualClock({ autoAdvance: false });
      await using executor = new TestExecutor({ clock });
      const handle = await executor.execute(workflow);
      for (let i = 0; i < 20; i++) await clock.advance(30);
      assertEquals(await handle.result(), "copied");
    },
  );
  assertEquals(killed.includes('the heartbeats of activity "copy" are lost'), true);
});

const nestings: Record<string, (ctx: Ctx, body: (ctx: Ctx) => Promise<unknown>) => Promise<unknown>> = {
  scope: (ctx, body) => ctx.scope(body),
  shield: (ctx, body) => ctx.shield(body),
  spawn: async (ctx, body) => {
    let done = false;
    ctx.spawn((ctx) => body(ctx).then(() => void (done = true)));
    await ctx.waitUntil(() => done);
  },
  mapConcurrent: (ctx, body) => ctx.mapConcurrent([1], 1, () => body(ctx)),
};
for (const [way, nest] of Object.entries(nestings)) {
  Deno.test(`mutants() changes what is inside of ${way}()`, async () => {
    const order = (ctx: Ctx) => nest(ctx, (ctx) => ctx.executeActivity(pay, 5));
    const { killed } = await mutants(order, async (workflow) => {
      await run(workflow);
      assertEquals(world.paid, 5);
    });
    assertEquals(killed, ['activity "pay" runs twice']);
  });
}

Deno.test("mutants() knows a stuck workflow by the cause of an error, and by a crash test", async () => {
  async function cart(ctx: Ctx) {
    const items: unknown[] = [];
    ctx.handleSignal("item", (item: unknown) => void items.push(item));
    await ctx.waitUntil(() => items.at(-1) === "end");
  }
  const swapped = ['the first two signals "item" are swapped'];
  const wrapped = await mutants(cart, (workflow) =>
    run(workflow, ["a", "end"]).catch((cause) => {
      throw new Error("the cart is not right", { cause });
    }));
  assertEquals(wrapped.stuck, swapped);
  const signals = ["a", "end"].map((payload) => ({ atMs: 10, name: "item", payload }));
  const crashed = await mutants(cart, async (workflow) => void await crashTest(workflow, { signals }));
  assertEquals(crashed.stuck, swapped);
});

Deno.test("mutants() swaps the first two signals, and leaves alone those that follow", async () => {
  async function cart(ctx: Ctx) {
    const items: unknown[] = [];
    ctx.handleSignal("item", (item: unknown) => void items.push(item));
    await ctx.waitUntil(() => items.length > 2);
    await ctx.sleep(1);
    return items.join(" ");
  }
  const results: unknown[] = [];
  await mutants(cart, async (workflow) => {
    assertEquals(workflow.name, "cart");
    results.push(await run(workflow, ["a", "b", "c", "d"]));
  });
  assertEquals(results, ["a b c d", "b a c d"]);
});

Deno.test("mutants() changes a compensation without a name", async () => {
  const order = async (ctx: Ctx) => {
    ctx.addCompensation((ctx) => ctx.executeActivity(refund));
    await ctx.executeActivity(payOnce, 5);
    await ctx.executeActivity(fail);
  };
  const { killed } = await mutants(order, async (workflow) => {
    await run(workflow);
    assertEquals(world.paid, 0);
  });
  assertEquals(killed, ["compensation 1 is dropped"]);
});

Deno.test("mutants() changes compensations without a name one at a time, and keeps their names in the history", async () => {
  const names: string[] = [];
  const order = async (ctx: Ctx) => {
    function release() {}
    ctx.addCompensation(() => {});
    ctx.addCompensation((ctx) => ctx.executeActivity(refund));
    ctx.addCompensation(release);
    await ctx.executeActivity(payOnce, 5);
    await ctx.executeActivity(fail);
  };
  const { killed, survived } = await mutants(order, async (workflow) => {
    await using executor = new TestExecutor();
    setUp();
    await (await executor.execute(workflow, { id: "a" })).result().catch(() => {});
    const { history } = (await executor.store.load("a"))!;
    for (const event of history) if (event.type === "compensation_started") names.push(event.name);
    assertEquals(world.paid, 0);
  });
  assertEquals(names.slice(0, 3), ["release", "anonymous", "anonymous"]);
  assertEquals(killed, ["compensation 2 is dropped"]);
  assertEquals(survived.filter((text) => text.endsWith("is dropped")), [
    "compensation 1 is dropped",
    'compensation "release" is dropped',
  ]);
});

Deno.test("mutants() swaps nothing if there is one signal", async () => {
  async function cart(ctx: Ctx) {
    const items: unknown[] = [];
    ctx.handleSignal("item", (item: unknown) => void items.push(item));
    await ctx.waitUntil(() => items.length > 0);
  }
  assertEquals(await mutants(cart, (workflow) => run(workflow, ["a"])), { killed: [], survived: [], stuck: [] });
});

Deno.test("mutants() changes replaced activities too, in a TestExecutor and in a crash test", async () => {
  const real = (): number => {
    throw new Error("the real one");
  };
  const order = (ctx: Ctx) => ctx.executeActivity(real);
  let calls = 0;
  const activities = [replace(real, () => ++calls && 5)];
  const tests = [
    async (workflow: typeof order) => {
      await TestExecutor.use(async (executor) => {
        assertEquals(await (await executor.execute(workflow)).result(), 5);
        assertEquals(executor.callsOf(real).length, 1);
      }, { activities });
    },
    async (workflow: typeof order) => {
      await crashTest(workflow, { activities, compare: "outcomes" });
    },
  ];
  for (const test of tests) {
    const counts: number[] = [];
    const { survived } = await mutants(order, async (workflow) => {
      calls = 0;
      await test(workflow as typeof order);
      counts.push(calls);
    });
    assertEquals(survived, ['activity "real" runs twice']);
    assertEquals(counts[1], 2 * counts[0]);
  }
});

Deno.test("mutants() says that the test fails without a change", async () => {
  await assertRejects(
    () =>
      mutants(async function order(ctx: Ctx) {
        await ctx.sleep(1);
      }, () => assertEquals(1, 2)),
    Error,
    'Cannot test mutants of workflow "order": the test fails without a change',
  );
  await assertRejects(() => mutants(5 as never, () => {}), TypeError);
});

Deno.test("mutants() leaves alone what a context has from Object", async () => {
  const order = (ctx: Ctx) => Promise.resolve(String(ctx));
  const { killed } = await mutants(order, async (workflow) => {
    assertEquals(await run(workflow as (ctx: WorkflowContext<unknown>, input: unknown) => unknown), "[object Object]");
  });
  assertEquals(killed, []);
});

Deno.test("mutants() knows a stuck workflow by the first error of an error that hides it", async () => {
  async function cart(ctx: Ctx) {
    const items: unknown[] = [];
    ctx.handleSignal("item", (item: unknown) => void items.push(item));
    await ctx.waitUntil(() => items.at(-1) === "end");
  }
  const { stuck } = await mutants(cart, (workflow) =>
    run(workflow, ["a", "end"]).catch((error) => { // as `await using` does when the disposal fails, too
      throw Object.assign(new Error("an error hid another"), { name: "SuppressedError", error });
    }));
  assertEquals(stuck, ['the first two signals "item" are swapped']);
});

Deno.test("mutants() does not lose heartbeats of an activity that only reads the details of them", async () => {
  const copy = (_: unknown, { heartbeatDetails }: ActivityContext) => heartbeatDetails ?? 0;
  const { killed, survived } = await mutants(
    (ctx: Ctx) => ctx.executeActivity(copy, undefined),
    async (workflow) => assertEquals(await run(workflow), 0),
  );
  assertEquals([killed, survived], [[], ['activity "copy" runs twice']]);
});
