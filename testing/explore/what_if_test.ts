/** `whatIf()`: which rows and cells there are, what they say, and what is missing. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import type { ActivityContext, ActivityOptions, WorkflowContext } from "@rockpool/workflow";
import { ExplorationError, recorded, replace, TestExecutor, whatIf } from "@rockpool/workflow/testing";
import { macrotasks } from "../../tests/support/executors.ts";

type Ctx = WorkflowContext;

const charge = (_cents: number): string => "charged";
const refund = (_cents: number): string => "refunded";
const alarm = (_text: string): string => "heard";
const mail = (_text: string): void => {};
const step: ActivityOptions = { timeoutMs: 1000, retry: { maxAttempts: 3, jitter: false } };

/** Undoes the charge if the mail fails. */
async function order(ctx: Ctx, cents: number) {
  await ctx.executeActivity(charge, cents, step);
  ctx.addCompensation((ctx) => ctx.executeActivity(refund, cents, step));
  await ctx.executeActivity(mail, "Thank you", step);
}

const ends = (cells: readonly { activity: string; what: string; end: string }[], activity: string) =>
  Object.fromEntries(cells.filter((cell) => cell.activity === activity).map(({ what, end }) => [what, end]));

Deno.test("whatIf() rejects when the workflow calls no activity, and says what to do", async () => {
  const waits = async (ctx: Ctx) => await ctx.waitForSignal("go");
  for (const [workflow, options] of [[() => 5, {}], [waits, { signals: [{ atMs: 5, name: "go" }] }]] as const) {
    const { message } = await assertRejects(() => whatIf(workflow as () => unknown, options), ExplorationError);
    assertStringIncludes(message, "calls no activity, so there is nothing to try");
    assertStringIncludes(message, 'Pass the "input" and the "signals" with which it calls one; explore()');
  }
});

Deno.test("whatIf().table() names the reason of each cell that is wrong or stuck", async () => {
  let paid = 0;
  const { table, cells } = await whatIf(async (ctx: Ctx) => {
    await ctx.executeActivity(charge, 5, step);
    await ctx.executeActivity(mail, "Thank you");
  }, {
    activities: [replace(charge, () => `${paid = 1}`)],
    failures: ["fails for good", "never answers"],
    setUp: () => void (paid = 0),
    check({ state: { status } }) {
      if (paid !== (status === "completed" ? 1 : 0)) throw new Error(`${paid} paid,\n${status}`);
    },
  });
  assertEquals(table().split("\n").slice(5), [
    "charge cancel: wrong: 1 paid, canceled",
    "mail fails for good: wrong: 1 paid, failed",
    'mail never answers: stuck: waits for activity "mail" (attempt 1 is running)',
    "mail cancel: wrong: 1 paid, canceled",
  ]);
  const [, , , , first] = table().split("\n");
  assertEquals(first, "", "an empty line ends the table");
  assertStringIncludes(cells.find(({ end }) => end === "wrong")!.story!, "This run:");
});

Deno.test("whatIf() shows a failed assertion and an error of another kind in one line", async () => {
  const why = async (error: Error) => {
    const { cells } = await whatIf((ctx: Ctx) => ctx.executeActivity(charge, 5), {
      failures: ["fails for good"],
      check({ state }) {
        if (state.status === "failed") throw error;
      },
    });
    return cells[0].detail;
  };
  const named = (name: string, message: string) => Object.assign(new Error(message), { name });
  const diff = "Values are not equal.\n\n\n    [Diff] Actual / Expected\n\n\n\x1b[31m-   1\x1b[39m\n+   0\n";
  assertEquals(await why(named("AssertionError", diff)), "Values are not equal. - 1 + 0");
  assertEquals(await why(named("RuleError", "ship came after canceled")), "RuleError: ship came after canceled");
  assertEquals((await why(new Error("x".repeat(500)))).length, 120);
});

Deno.test("whatIf() has a row for an activity that is called only when another one fails", async () => {
  const { cells, bad, missing, table } = await whatIf(order, { input: 5, check() {} });
  const refunds = cells.filter(({ activity }) => activity === "refund");
  assertEquals(new Set(refunds.map(({ after }) => after)), new Set(["mail always fails"]));
  assertEquals(ends(cells, "refund"), {
    "fails": "compensated",
    "always fails": "compensated",
    "fails for good": "compensated",
    "loses its answer": "compensated",
    "loses every answer": "compensated",
    "never answers": "compensated",
    "crash": "compensated",
    "cancel": "compensated",
  });
  assertStringIncludes(refunds[1].detail, "CompensationError");
  assertEquals([bad, missing], [[], []]);
  assertStringIncludes(table(), "| refund, after mail always fails |");
});

Deno.test("whatIf() finds a compensation that is given up too early", async () => {
  let paid = 0;
  const { bad } = await whatIf(order, {
    input: 5,
    activities: [replace(charge, () => `${paid = 1}`), replace(refund, () => `${paid = 0}`)],
    failures: ["fails"],
    setUp: () => void (paid = 0),
    check({ state }) {
      if (state.status !== "completed" && paid > 0) throw new Error("keeps the money");
    },
  });
  assertEquals(bad, ["charge cancel: wrong", "refund always fails, after mail always fails: wrong"]);
});

Deno.test("whatIf() cancels a workflow that another cancellation has made call the activity", async () => {
  const { cells } = await whatIf(async (ctx: Ctx) => {
    try {
      await ctx.executeActivity(charge, 5, step);
    } finally {
      if (ctx.signal.aborted) await ctx.shield((ctx) => ctx.executeActivity(refund, 5, step));
    }
  }, { failures: [] });
  const [refunded] = cells.filter(({ activity, what }) => activity === "refund" && what === "cancel");
  assertEquals([refunded.after, refunded.end], ["charge cancel", "canceled"]);
});

Deno.test("whatIf() says which activity it has not tried: it is called only if two things go wrong", async () => {
  const { missing, cells, table } = await whatIf(async (ctx: Ctx) => {
    try {
      await ctx.executeActivity(charge, 5);
    } catch {
      await ctx.executeActivity(refund, 5).catch(() => ctx.executeActivity(alarm, "refund"));
    }
  }, { failures: ["fails"] });
  assertEquals(ends(cells, "alarm"), {});
  const text = "alarm is called only if two things go wrong, such as refund fails, after charge fails";
  assertEquals(missing, [text]);
  assertStringIncludes(table(), `\nmissing: ${text}`);
});

Deno.test("whatIf() prefers a run that ends well to ask about what is called only there", async () => {
  const { cells } = await whatIf(async (ctx: Ctx) => {
    try {
      await ctx.executeActivity(charge, 5, step);
    } catch {
      await ctx.executeActivity(refund, 5, step);
      return "refunded";
    }
  }, {
    failures: ["fails for good", "never answers"],
    check({ calls, result }) {
      if (result === "refunded" && calls.length === 2) throw new Error("the charge is not repeated");
    },
  });
  const [refunded] = cells.filter(({ activity }) => activity === "refund");
  assertEquals(refunded.after, "charge never answers");
});

Deno.test("whatIf() does not call a workflow stuck that tries an activity again and again, as its policy says", async () => {
  const { bad, cells } = await whatIf(
    (ctx: Ctx) => ctx.executeActivity(charge, 5, { timeoutMs: 1000, retry: { maxAttempts: Infinity } }),
  );
  assertEquals(bad, []);
  assertEquals(cells.filter(({ end }) => end === "retrying").map(({ what }) => what), [
    "always fails",
    "loses every answer",
    "never answers",
  ]);
});

Deno.test("whatIf() says in the table after how many attempts it has given up", async () => {
  const retry = { maxAttempts: 100_000, maxIntervalMs: 1000, jitter: false } as const;
  const { table, missing } = await whatIf(
    (ctx: Ctx) => ctx.executeActivity(charge, 5, { timeoutMs: 1000, retry }),
    { failures: ["fails"], check() {} },
  );
  const text = "charge always fails: retrying: attempt 1,999 fails, too, and what comes later is not tried";
  assertStringIncludes(table(), `\n\n${text}`);
  assertEquals(missing, []);
});

Deno.test("whatIf() shows the first lines of a long story, and says what to do about a workflow with too many writes", async () => {
  let polls = 0;
  const poll = () => ++polls < 1000 ? "running" : "done";
  const error = await assertRejects(() =>
    whatIf(async (ctx: Ctx) => {
      while (await ctx.executeActivity(poll, undefined, step) === "running") await ctx.sleep(1000);
    }, { setUp: () => void (polls = 0) }), ExplorationError);
  const [, what, advice] = error.message.split("\n");
  assertEquals(what, "The workflow does not end: it made 2000 writes");
  assertStringIncludes(advice, "If it ends later, let its activities answer sooner");
  assertMatch(error.message, /\n {2}60\. .*\n {2}… \d+ more\n/);
});

Deno.test("whatIf() waits half as long for each further activity that works late and never settles", async () => {
  using time = new FakeTime();
  let [runs, late] = [0, 0];
  const poll = () => {
    if (runs !== 2) return "done"; // the second run is that of the failure
    macrotasks(10).then(() => time.tick(Math.ceil(50 / 2 ** late++)));
    return new Promise<never>(() => {});
  };
  const { cells } = await whatIf(
    (ctx: Ctx) => ctx.executeActivity(poll, undefined, step).catch(() => {}),
    { activities: [replace(poll, poll)], failures: ["works late"], setUp: () => void runs++, check() {} },
  );
  assertEquals(cells[0].what, "works late");
  assertEquals(late, 3);
});

Deno.test("whatIf() names an activity that holds up three runs in a row", async () => {
  using time = new FakeTime();
  const listen = (_: undefined, { signal }: ActivityContext) => {
    macrotasks(10).then(() => time.tick(3000));
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const call = (ctx: Ctx) => ctx.executeActivity(listen, undefined, { timeoutMs: 5 }).catch(() => {});
  const error = await assertRejects(() => whatIf(call, { failures: ["fails"] }), ExplorationError);
  assertStringIncludes(
    error.message,
    'cannot be tried\nActivity "listen" did nothing for 3000 ms of real time in 3 runs',
  );
});

Deno.test("whatIf() calls a workflow stuck whose code makes events without end", async () => {
  const { bad, table } = await whatIf(async (ctx: Ctx) => {
    const isOver = await ctx.executeActivity(charge, 5, step).catch(() => false);
    while (!isOver) await ctx.sleep(1000);
  }, { failures: ["fails"] });
  assertEquals(bad, ["charge always fails: stuck"]);
  assertStringIncludes(table(), "charge always fails: stuck: The workflow does not end: it made 2000 writes");
});

/** A stored run of the order. */
async function stored(): Promise<string> {
  await using executor = new TestExecutor();
  await (await executor.execute(order, { id: "order-7", input: 5 })).result();
  return JSON.stringify(await executor.store.load("order-7"));
}

Deno.test("whatIf() asks about a stored run, and says which answers are not in its history", async () => {
  const { cells, bad, missing, table } = await whatIf(order, {
    input: 5,
    activities: [recorded(JSON.parse(await stored()))],
    failures: ["fails", "fails for good"],
  });
  assertEquals(ends(cells, "charge")["fails for good"], "failed");
  assertEquals(ends(cells, "mail"), {
    "fails": "completed",
    "always fails": "unknown",
    "fails for good": "unknown",
    "crash": "completed",
    "cancel": "unknown",
  });
  const text = "the recorded history has no answer for refund with the input 5";
  assertEquals([bad, missing], [[], [text]]);
  assertStringIncludes(table(), `\nmissing: ${text}`);
});

Deno.test("whatIf() asks about a stored run with the answers that a test adds", async () => {
  const activities = [replace(refund, () => "refunded"), recorded(JSON.parse(await stored()))];
  const { cells, missing } = await whatIf(order, { input: 5, activities, failures: ["fails for good"] });
  assertEquals(ends(cells, "mail")["fails for good"], "compensated");
  assertEquals([ends(cells, "refund")["fails for good"], missing], ["compensated", []]);
});
