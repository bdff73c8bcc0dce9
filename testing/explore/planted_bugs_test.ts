/**
 * Bugs that people write, and which tool finds each. The table stands in docs/testing.md. A crash test finds the lost answer alone:
 * otherwise each run that it makes ends as the undisturbed one.
 */

import { assertEquals, assertRejects } from "@std/assert";
import type { ActivityContext, ActivityOptions, WorkflowContext } from "@rockpool/workflow";
import {
  crashTest,
  CrashTestError,
  ExplorationError,
  explore,
  type ExploreOptions,
  simulate,
  SimulationError,
  whatIf,
} from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;

/** What really happened. */
let world = { charged: 0, refunded: 0, booked: 0, released: 0, mailed: 0, keys: new Set<string>() };
const setUp = () => void (world = { charged: 0, refunded: 0, booked: 0, released: 0, mailed: 0, keys: new Set() });

/** Does its work once per key, as a good service. */
const once = (key: string, work: () => void) => {
  if (!world.keys.has(key)) work();
  world.keys.add(key);
};
const charge = (_: unknown, { idempotencyKey }: ActivityContext) => once(idempotencyKey, () => world.charged++);
const chargeAgain = () => void world.charged++; // forgets the key
const refund = () => void (world.refunded = world.charged);
const book = (_: unknown, { idempotencyKey }: ActivityContext) => once(idempotencyKey, () => world.booked++);
const release = () => void (world.released = world.booked);
const mail = (_: unknown, { idempotencyKey }: ActivityContext) => once(idempotencyKey, () => world.mailed++);

const safe: ActivityOptions = { timeoutMs: 1000, retry: { maxAttempts: 3, jitter: false } };
const untilDone: ActivityOptions = { timeoutMs: 1000, retry: { maxAttempts: 20, jitter: false } };

/** Who has not got the goods has not paid. */
const paysForGoods = ({ state }: { state: { status: string } }) => {
  const paid = world.charged - world.refunded;
  assertEquals(paid, state.status === "completed" ? 1 : 0, `${paid} paid, ${state.status}`);
};
const keepsNothing = ({ state }: { state: { status: string } }) => {
  if (state.status !== "completed") assertEquals(world.booked - world.released, 0, "a booking that nobody wants");
};

interface Bug {
  readonly name: string;
  readonly workflow: (ctx: Ctx) => Promise<unknown>;
  readonly options: Omit<ExploreOptions, "check"> & { readonly check: (run: never) => void };
  /** The cells of `whatIf()` that show it; none if it does not find the bug. */
  readonly whatIf: readonly string[];
  /** Whether a hundred seeds of `simulate()` find it. */
  readonly simulate: boolean;
  /** Whether `crashTest()` finds it, with the same check. */
  readonly crashTest?: true;
}

const approval = [{ atMs: 500, name: "approval" }];

const BUGS: readonly Bug[] = [
  {
    name: "a cancellation while the card is charged keeps the money",
    async workflow(ctx) {
      let paid = false;
      try {
        await ctx.executeActivity(charge, undefined, safe);
        paid = true;
        await ctx.waitForSignal("approval");
      } catch (error) {
        if (paid) await ctx.shield((ctx) => ctx.executeActivity(refund, undefined, untilDone));
        throw error;
      }
    },
    options: { signals: approval, cancels: 1, orders: false, check: paysForGoods },
    whatIf: ["charge loses every answer: wrong", "charge cancel: wrong"],
    simulate: true,
  },
  {
    name: "a compensation is noted after its step",
    async workflow(ctx) {
      await ctx.executeActivity(book, undefined, safe);
      ctx.addCompensation((ctx) => ctx.executeActivity(release, undefined, untilDone));
      await ctx.executeActivity(charge, undefined, safe);
    },
    options: { faults: 3, orders: false, failures: ["loses its answer"], check: keepsNothing },
    whatIf: ["book loses every answer: wrong", "book cancel: wrong"],
    simulate: true,
  },
  {
    name: "a compensation is not retried",
    async workflow(ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(release));
      await ctx.executeActivity(book, undefined, safe);
      await ctx.executeActivity(charge, undefined, { ...safe, retry: { maxAttempts: 1 } });
    },
    options: { faults: 2, orders: false, failures: ["fails"], check: keepsNothing },
    whatIf: [
      "release fails, after charge fails: wrong",
      "release always fails, after charge fails: wrong",
    ],
    simulate: true,
  },
  {
    name: "a service that never answers stops the workflow",
    async workflow(ctx) {
      await ctx.executeActivity(mail);
    },
    options: { faults: 1, check() {} },
    whatIf: ["mail never answers: stuck"],
    simulate: false,
  },
  {
    name: "a lost answer charges the card twice",
    async workflow(ctx) {
      await ctx.executeActivity(chargeAgain, undefined, safe);
    },
    options: { faults: 1, failures: ["loses its answer"], check: paysForGoods },
    whatIf: [
      "chargeAgain loses its answer: wrong",
      "chargeAgain loses every answer: wrong",
      "chargeAgain crash: wrong",
      "chargeAgain cancel: wrong",
    ],
    simulate: true,
    crashTest: true,
  },
  {
    name: "a service that works after it was given up",
    async workflow(ctx) {
      ctx.addCompensation((ctx) => ctx.executeActivity(release, undefined, untilDone));
      await ctx.executeActivity(book, undefined, { timeoutMs: 1000 });
    },
    options: { faults: 1, orders: false, failures: ["works late"], check: keepsNothing },
    whatIf: ["book works late: wrong"],
    simulate: false,
  },
  {
    name: "one order of three answers",
    async workflow(ctx) {
      let last = "";
      const note = (name: string) => () => void (last += name);
      await Promise.all([
        ctx.executeActivity(mail, undefined, { ...safe, name: "a" }).then(note("a")),
        ctx.executeActivity(mail, undefined, { ...safe, name: "b" }).then(note("b")),
        ctx.executeActivity(mail, undefined, { ...safe, name: "c" }).then(note("c")),
      ]);
      return last;
    },
    options: {
      check({ result }: { result?: unknown }) {
        if (result === "cab") throw new Error("c before a before b");
      },
    },
    whatIf: [],
    simulate: true,
  },
];

for (const { name, workflow, options: { check, ...options }, ...found } of BUGS) {
  const withCheck = { ...options, setUp, check: check as () => void };

  Deno.test(`explore() finds: ${name}`, async () => {
    await assertRejects(() => explore(workflow, withCheck), ExplorationError);
  });

  Deno.test(`whatIf() ${found.whatIf.length > 0 ? "finds" : "does not find"}: ${name}`, async () => {
    const { orders: _1, cancels: _2, crashes: _3, faults: _4, ...rest } = withCheck;
    const failures = ["fails", "loses its answer", "never answers", "works late"] as const;
    const { bad } = await whatIf(workflow, { ...rest, failures: rest.failures ?? failures.slice(0, 3) });
    assertEquals(bad, found.whatIf);
  });

  Deno.test(`simulate() ${found.simulate ? "finds" : "does not find"} with its default seeds: ${name}`, async () => {
    const { signals = [], cancels = 0 } = withCheck;
    const scenario = {
      workflow,
      signals,
      setUp,
      atEnd: ({ state }: { state: unknown }) => check(state === undefined ? undefined as never : asRun(state) as never),
      ...(cancels > 0 && { cancel: { atMs: 0 } }),
    };
    const simulated = simulate(scenario as never).then(() => false, (error) => {
      if (!(error instanceof SimulationError)) throw error;
      return true;
    });
    assertEquals(await simulated, found.simulate);
  });

  Deno.test(`crashTest() ${found.crashTest ? "finds" : "does not find"}: ${name}`, async () => {
    const crashed = crashTest(workflow, { signals: withCheck.signals ?? [], setUp, check: withCheck.check });
    if (found.crashTest) await assertRejects(() => crashed, CrashTestError);
    else await crashed;
  });
}

Deno.test("docs/testing.md says which tool finds which bug", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/testing.md", import.meta.url));
  const rows = [...page.matchAll(/^\| (A .+?|One .+?) +\| (yes|no) +\| (yes|no) +\| (yes|no) +\| (yes|no) +\|$/gm)];
  const inWords = (finds: boolean | undefined) => finds ? "yes" : "no";
  assertEquals(
    rows.map(([, name, ...finds]) => [name[0].toLowerCase() + name.slice(1), ...finds]),
    BUGS.map((bug) => [bug.name, ...[bug.crashTest, bug.simulate, bug.whatIf.length > 0, true].map(inWords)]),
  );
});

/** What a check of `explore()` gets, of the state that `simulate()` shows. */
const asRun = (state: unknown) => ({ state, result: (state as { result?: unknown }).result });
