/** `simulate({ leaseMs })`: processes die, stand still, lose their lease and come back; planted bugs of stores and executors are found. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type AppendBatch,
  type ClaimOptions,
  type Clock,
  InMemoryStore,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";
import { type Scenario, simulate, SimulationError, type SimulationView } from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

const retry = { maxAttempts: Infinity, initialIntervalMs: 10 };
const leaseMs = 1000;

async function steps(ctx: Ctx) {
  for (let i = 0; i < 3; i++) await ctx.executeActivity(() => i, undefined, { name: `step ${i}`, retry });
  await ctx.sleep(3 * leaseMs);
  await ctx.executeActivity(async () => await Promise.resolve(3), undefined, { name: "step 3", retry });
}

/** A scenario that goes wrong with one of many seeds: with that seed again, in the same way. */
async function found(scenario: Partial<Scenario>): Promise<string> {
  const find = (seeds: number | number[]) =>
    assertRejects(() => simulate({ workflow: steps, executors: 2, leaseMs, ...scenario }, { seeds }), SimulationError);
  const error = await find(300);
  assertEquals((await find([error.seed])).message, error.message);
  return error.message.split("\n")[1];
}

Deno.test("simulate({ leaseMs }) passes activities, timers and pauses, with one executor or three", async () => {
  for (const executors of [1, 3]) {
    const { faults } = await simulate({
      workflow: steps,
      executors,
      leaseMs,
      atEnd: ({ state }) => assertEquals(state?.status, "completed"),
    }, { seeds: 100 });
    assert(faults > 200, `${faults}`);
  }
});

Deno.test("simulate({ leaseMs }) passes signals, updates, children and continued runs", async () => {
  const child = async (ctx: Ctx, n: number) => {
    await ctx.sleep(n);
    return await ctx.executeActivity((n: number) => 2 * n, n, { name: "double", retry });
  };
  async function entity(ctx: WorkflowContext<number>, total: number): Promise<unknown> {
    ctx.handleUpdate("add", (n: number) => total += n);
    for (;;) {
      const what = await ctx.waitForSignal<string>("do");
      if (what === "stop") return total;
      if (what === "again") return await ctx.continueAsNew(total);
      const doubled = await ctx.executeChild(child, 10);
      total += doubled;
    }
  }
  const signals = ["work", "again", "work", "again"].map((payload, i) => ({ atMs: 100 * i, name: "do", payload }));
  await simulate({
    workflow: entity,
    input: 0,
    workflows: { child },
    signals: [...signals, { atMs: 30_000, name: "do", payload: "stop" }],
    updates: [50, 250].map((atMs) => ({ atMs, name: "add", input: 1 })),
    executors: 3,
    leaseMs,
    atEnd: ({ state, states }) => {
      const runs = states.filter(({ workflowId }) => workflowId === "simulation").length;
      assertEquals([state?.result, runs], [42, 3]);
    },
  }, { seeds: 60 });
});

Deno.test("simulate({ leaseMs }) makes the same run for the same seed", async () => {
  const texts: string[] = [];
  const scenario: Scenario = {
    workflow: steps,
    executors: 2,
    leaseMs,
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
  assert(new Set(texts).size > 15);
});

Deno.test("simulate({ leaseMs }) finds a store that does not check the owner of an append", async () => {
  class Trusting extends InMemoryStore {
    override append(batch: AppendBatch): Promise<void> {
      if (batch.expectedLength === 0) return super.append(batch);
      const { owner: _, ...rest } = batch;
      return super.append(rest);
    }
  }
  const what = await found({ store: (clock: Clock) => new Trusting({ clock }) });
  assert(/^Executor \d.* stored .* of workflow "simulation", which belongs to (executor \d|nobody)/.test(what), what);
});

Deno.test("simulate({ leaseMs }) finds an executor that ignores lease_lost", async () => {
  /** What such an executor would do: it writes without its name, and takes each renewal for granted. */
  class Ignoring extends InMemoryStore {
    override async append(batch: AppendBatch): Promise<void> {
      try {
        return await super.append(batch);
      } catch (error) {
        if (!(error instanceof WorkflowError) || error.code !== "lease_lost") throw error;
        const { owner: _, ...rest } = batch;
        return await super.append(rest);
      }
    }
    override async renew(owner: string, leaseMs: number): Promise<void> {
      await super.renew(owner, leaseMs).catch(() => {});
    }
  }
  const what = await found({ store: (clock: Clock) => new Ignoring({ clock }) });
  assert(/which belongs to|renewed a lease of .* that was lost/.test(what), what);
});

Deno.test("simulate({ leaseMs }) finds a store that gives away the runs of a living owner", async () => {
  class Generous extends InMemoryStore {
    override async claim(options: ClaimOptions) {
      const heads = options.limit === 0 ? [] : (await this.heads({ status: "running" })).heads;
      for (const { workflowId } of heads) await this.save((await this.load(workflowId))!); // belongs to nobody then
      return await super.claim(options);
    }
  }
  const what = await found({ store: (clock: Clock) => new Generous({ clock }) });
  assertStringIncludes(what, 'got workflow "simulation" by a claim, although executor');
});

Deno.test("simulate({ leaseMs }) finds a store in which the runs of the dead are never taken", async () => {
  class Stingy extends InMemoryStore {
    override async claim(options: ClaimOptions) {
      const runs = await super.claim(options);
      await super.release(options.owner, runs.map(({ workflowId }) => workflowId));
      return [];
    }
  }
  const what = await found({ store: (clock: Clock) => new Stingy({ clock }) });
  assertEquals(what, 'Workflow "simulation" does not end: no executor runs it');
});

Deno.test("simulate() refuses a lease that is no time", async () => {
  await assertRejects(
    () => simulate({ workflow: steps, leaseMs: 0 }),
    RangeError,
    '"leaseMs" must be a finite number from 1, got 0',
  );
});
