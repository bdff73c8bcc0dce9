/** `simulate()`: correct workflows pass with many seeds; planted bugs are found, shrunk, and repeated exactly. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import type { ActivityContext, WorkflowContext } from "@rockpool/workflow";
import { type Scenario, simulate, SimulationError, type SimulationView } from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

const retry = { maxAttempts: Infinity, initialIntervalMs: 10 };

/** Makes a bank whose bookings are idempotent, or not. */
function bank(idempotent = true) {
  const balances = { alice: 100, bob: 0 };
  const seen = new Set<string>();
  const book = (sign: 1 | -1, kind: string) => (to: keyof typeof balances, { idempotencyKey }: ActivityContext) => {
    if (idempotent && seen.has(`${kind} ${idempotencyKey}`)) return;
    seen.add(`${kind} ${idempotencyKey}`);
    balances[to] += sign * 30;
  };
  const named = (name: string, sign: 1 | -1) => Object.defineProperty(book(sign, name), "name", { value: name });
  return {
    balances,
    withdraw: named("withdraw", -1),
    deposit: named("deposit", 1),
    total: () => balances.alice + balances.bob,
    setUp() {
      Object.assign(balances, { alice: 100, bob: 0 });
      seen.clear();
    },
  };
}

/** The error of a simulation. It must be the same in a second simulation, and in one of the failing seed alone. */
async function found<Input>(scenario: Scenario<Input>, seeds = 200): Promise<SimulationError> {
  const find = (seeds: number | number[]) => assertRejects(() => simulate(scenario, { seeds }), SimulationError);
  const error = await find(seeds);
  assertEquals((await find(seeds)).message, error.message);
  assertEquals((await find([error.seed])).message, error.message);
  assertStringIncludes(error.message, `Repeat this run with simulate(scenario, { seeds: [${error.seed}] })`);
  return error;
}

Deno.test("simulate() passes a correct transfer, with one executor or three, and all kinds of faults", async () => {
  const { balances, withdraw, deposit, setUp } = bank();
  async function transfer(ctx: Ctx, ok: boolean) {
    ctx.addCompensation(() => ctx.executeActivity(deposit, "alice", { retry }), { name: "give back" });
    await ctx.executeActivity(withdraw, "alice", { retry });
    if (!ok) throw new RangeError("no such account");
    await ctx.executeActivity(deposit, "bob", { retry });
  }
  for (const executors of [1, 3]) {
    for (const input of [true, false]) {
      const { runs, faults } = await simulate({
        workflow: transfer,
        input,
        executors,
        setUp,
        always: () => assert(balances.alice >= 70),
        atEnd: ({ state }) => {
          assertEquals(state?.status, input ? "completed" : "failed");
          assertEquals(balances, input ? { alice: 70, bob: 30 } : { alice: 100, bob: 0 });
        },
      }, { seeds: 200 });
      assertEquals(runs, 200);
      assert(faults > 200, `${faults}`);
    }
  }
});

Deno.test("simulate() passes signals, updates, children and continued runs, with one executor or three", async () => {
  const child = async (ctx: Ctx, n: number) => {
    await ctx.sleep(n);
    return ctx.executeActivity((n: number) => 2 * n, n, { name: "double", retry });
  };
  const entity = (right: boolean) => async (ctx: WorkflowContext<number>, total: number): Promise<unknown> => {
    ctx.handleUpdate("add", (n: number) => total += n);
    for (;;) {
      const what = await ctx.waitForSignal<string>("do");
      if (what === "stop") return total;
      if (what === "again") return await ctx.continueAsNew(total);
      if (!right) total += await ctx.executeChild(child, 10); // loses what an update adds meanwhile
      else {
        const doubled = await ctx.executeChild(child, 10);
        total += doubled;
      }
    }
  };
  const signals = ["work", "again", "work", "again"].map((payload, i) => ({ atMs: 100 * i, name: "do", payload }));
  const scenario = (right: boolean, executors: number): Scenario<number> => ({
    workflow: entity(right),
    input: 0,
    workflows: { child },
    signals: [...signals, { atMs: 10_000, name: "do", payload: "stop" }],
    updates: [50, 250].map((atMs) => ({ atMs, name: "add", input: 1 })),
    executors,
    // A signal without an answer is sent again, if the run whose history has it was replaced since.
    rates: executors === 1 ? {} : { storeFailure: 0 },
    atEnd({ state, states }) {
      const runs = states.filter(({ workflowId }) => workflowId === "simulation").length;
      assertEquals([state?.result, runs], [42, 3]);
    },
  });
  for (const executors of [1, 3]) {
    await simulate(scenario(true, executors), { seeds: 100 });
    const { faults } = await found(scenario(false, executors));
    assert(faults.length > 0 && faults.length < 10, faults.join("\n"));
  }
});

Deno.test("simulate() finds an activity that is not idempotent, with one fault", async () => {
  const { balances, withdraw, setUp } = bank(false);
  const scenario: Scenario<undefined> = {
    workflow: async function pay(ctx: Ctx) {
      await ctx.executeActivity(withdraw, "alice", { retry });
      await ctx.sleep(100);
    },
    setUp,
    atEnd: () => assertEquals(balances.alice, 70),
  };
  const failing = await found({ ...scenario, rates: { crash: 0 } });
  assertEquals(failing.faults, [
    'Attempt 1 of activity "withdraw" of workflow "simulation" failed after its work',
  ]);
  const crashing = await found({ ...scenario, rates: { activityFailure: 0 } });
  assertEquals(crashing.faults.length, 1);
  assertStringIncludes(crashing.faults[0], "The process died");
  assertEquals(crashing.message.split("\n").slice(0, 2), [
    `Workflow "pay" goes wrong with seed ${crashing.seed}`,
    "atEnd threw: AssertionError: Values are not equal.",
  ]);
  assertStringIncludes(crashing.message, "══ the process dies ══");
});

Deno.test("simulate() finds a workflow that loses money when the second of two activities fails", async () => {
  const { total, withdraw, deposit, setUp } = bank();
  const { message, faults, cause } = await found({
    async workflow(ctx: Ctx) {
      await ctx.executeActivity(withdraw, "alice", { retry });
      await ctx.executeActivity(deposit, "bob"); // neither retried nor compensated
    },
    setUp,
    atEnd: () => assertEquals(total(), 100, "money is gone"),
  });
  assertEquals(faults, ['Attempt 1 of activity "deposit" of workflow "simulation" failed before its work']);
  assertInstanceOf(cause, Error);
  assertStringIncludes(message, "atEnd threw: AssertionError");
  assertStringIncludes(message, `  1. ${faults[0]}`);
  assertStringIncludes(message, 'With these faults only:\nworkflow "simulation" failed');
});

Deno.test("simulate() finds a race between a signal and a timeout", async () => {
  const { balances, withdraw, setUp } = bank();
  const { faults, message } = await found({
    async workflow(ctx: Ctx) {
      const approved = await ctx.waitForSignal("approval", { timeoutMs: 500 }).then(() => true, () => false);
      if (!approved) return "given up";
      await ctx.executeActivity(withdraw, "alice", { retry });
    },
    signals: [{ atMs: 100, name: "approval" }],
    setUp,
    atEnd: () => assertEquals(balances.alice, 70),
  });
  assertEquals(faults.length, 1);
  assert(/^The signal approval #0 was delivered \d+ ms late$/.test(faults[0]), faults[0]);
  assertStringIncludes(message, "timer               signal approval within 500 ms, expired");
});

Deno.test("simulate() finds an invariant that breaks during a run, and stops", async () => {
  const { balances, withdraw, deposit, setUp } = bank();
  const error = await found({
    async workflow(ctx: Ctx) {
      await Promise.all([
        ctx.executeActivity(withdraw, "alice", { retry }),
        ctx.executeActivity(deposit, "bob", { retry }),
      ]);
    },
    setUp,
    always: () => assert(balances.alice + balances.bob <= 100, `${balances.alice} and ${balances.bob}`),
  });
  assertStringIncludes(error.message, "always threw: ");
  assertEquals(error.faults.length, 1);
});

Deno.test("simulate() says so when a run goes wrong without a fault", async () => {
  const error = await found({ workflow: (ctx: Ctx) => ctx.waitForSignal("never") });
  assertEquals([error.seed, error.faults], [1, []]);
  assertStringIncludes(error.message, "It waits forever: no delivery is left, and no timer is set");
  assertStringIncludes(error.message, 'run "simulation" (workflow) waits for signal "never"');
  assertStringIncludes(error.message, "It needs no fault\nRepeat");
  assertStringIncludes(error.message, 'Without faults:\nworkflow "simulation" running');
});

Deno.test("simulate() finds code that is not deterministic", async () => {
  let calls = 0;
  const error = await found({
    workflow: async function order(ctx: Ctx) {
      if (++calls === 1) await ctx.sleep(10);
      await ctx.sleep(10);
      await ctx.executeActivity(() => {}, undefined, { name: "ship", retry });
    },
    setUp: () => void (calls = 0),
  });
  assertStringIncludes(error.message, "its code does not do what its history says");
  assertStringIncludes(error.message, "Keep the workflow's state in variables inside its function");
  assertEquals(error.faults.length, 1);
  assertStringIncludes(error.faults[0], "The process died");
});

Deno.test("simulate() lets several attempts of one activity fail with its default seeds, and never with a rate of 0", async () => {
  const attempts: number[] = [];
  const pay = () => "paid";
  const scenario = (rates?: Scenario["rates"]): Scenario => ({
    workflow: (ctx: Ctx) => ctx.executeActivity(pay, undefined, { retry: { maxAttempts: 9, initialIntervalMs: 10 } }),
    rates: { crash: 0, ...rates },
    atEnd: ({ calls }) => void attempts.push(calls.length),
  });
  await simulate(scenario());
  assert(attempts.filter((count) => count > 2).length >= 3, `${attempts}`);
  attempts.length = 0;
  await simulate(scenario({ activityFailure: 0 }));
  assertEquals(Math.max(...attempts), 1);
});

Deno.test("simulate() makes different runs for different seeds, and the same run for the same seed", async () => {
  const texts: string[] = [];
  const scenario = {
    workflow: async (ctx: Ctx) => {
      for (let i = 0; i < 5; i++) await ctx.executeActivity(() => i, undefined, { name: `step ${i}`, retry });
      return ctx.uuid();
    },
    executors: 2,
    atEnd: ({ nowMs, states, calls }: SimulationView) => {
      texts.push(
        JSON.stringify([nowMs, calls, states.map(({ runId, history }) => [runId, history])]).replace(
          /"stack":"[^"]*"/g,
          "",
        ),
      );
    },
  };
  await simulate(scenario, { seeds: 30 });
  await simulate(scenario, { seeds: 30 });
  assertEquals(texts.slice(30), texts.slice(0, 30));
  assert(new Set(texts).size > 25);
});

Deno.test("simulate() reaches every order of four activities that run at once with its default seeds", async () => {
  const orders = new Set<unknown>();
  await simulate({
    async workflow(ctx: Ctx) {
      let order = "";
      await Promise.all(["a", "b", "c", "d"].map(async (name) => {
        await ctx.executeActivity(() => {}, undefined, { name, retry });
        order += name;
      }));
      return order;
    },
    atEnd: ({ state }) => void orders.add(state!.result),
  });
  assertEquals(orders.size, 24);
});

Deno.test("simulate() causes no faults in signals to children and in their cancellation", async () => {
  const child = (ctx: Ctx) => ctx.waitForSignal("go").catch(() => "canceled");
  await simulate({
    async workflow(ctx: Ctx) {
      const [sent, canceled] = [ctx.startChild(child), ctx.startChild(child)];
      await sent.signal("go", "sent");
      await canceled.cancel();
      // It is cancelled before it begins if its process dies before its start is stored.
      return [await sent.result(), await canceled.result().catch(() => "canceled")];
    },
    workflows: { child },
    rates: { activityFailure: 1 },
    atEnd: ({ state }) => assertEquals(state?.result, ["sent", "canceled"]),
  }, { seeds: 50 });
});

Deno.test("simulate() causes no faults if all rates are 0, and checks its arguments", async () => {
  const rates = {
    crash: 0,
    storeFailure: 0,
    activityFailure: 0,
    activityDelay: 0,
    late: 0,
    slowWrite: 0,
    takeover: 0,
    slowRead: 0,
    staleRead: 0,
  };
  const workflow = (ctx: Ctx) => ctx.executeActivity(() => 1);
  assertEquals(await simulate({ workflow, rates, executors: 2 }, { seeds: [1, 2] }), { runs: 2, faults: 0 });
  const refused = (scenario: object, options?: object) => () => simulate({ workflow, ...scenario }, options);
  await assertRejects(refused({ workflow: 1 }), TypeError, '"workflow" must be a function, got 1');
  await assertRejects(refused({ executors: 0 }), RangeError, '"executors" must be an integer from 1, got 0');
  await assertRejects(
    refused({ rates: { crash: -1 } }),
    RangeError,
    '"rates.crash" must be a finite number from 0, got -1',
  );
  await assertRejects(refused({}, { seeds: 0 }), RangeError, '"seeds" must be an integer from 1, got 0');
  await assertRejects(refused({}, { seeds: [] }), TypeError, '"seeds" must be a number or an array');
});

Deno.test("simulate() waits for no real time when calls take virtual time only", async () => {
  using _time = new FakeTime(); // nobody moves it: a wait for real time would never end
  async function steps(ctx: Ctx) {
    for (let i = 0; i < 10; i++) await ctx.sideEffect(() => i); // a replay of this takes a while
    await ctx.executeActivity(() => "done");
  }
  const { runs } = await simulate({ workflow: steps, rates: { crash: 0.2, slowRead: 1 } }, { seeds: 50 });
  assertEquals(runs, 50);
});

Deno.test("simulate() delivers each signal once to a chain although nobody knows whether a signal is stored", async () => {
  const sum = async (
    ctx: WorkflowContext<readonly number[]>,
    before: readonly number[],
  ): Promise<readonly number[]> => {
    const got = [...before];
    ctx.handleSignal<number>("n", (n) => void got.push(n));
    await ctx.sleep(10);
    return got.length === 6 ? got.toSorted() : await ctx.continueAsNew(got);
  };
  await simulate({
    workflow: sum,
    input: [],
    executors: 3,
    signals: [0, 1, 2, 3, 4, 5].map((n) => ({ atMs: n * 8, name: "n", payload: n })),
    rates: { storeFailure: 0.3 },
    atEnd: ({ state }) => assertEquals(state!.result, [0, 1, 2, 3, 4, 5]),
  }, { seeds: 30 });
});
