/** What `crashTest()`, `explore()` and `whatIf()` say about the run in which nothing goes wrong. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NonRetryableError, type WorkflowContext } from "@rockpool/workflow";
import {
  crashTest,
  CrashTestError,
  type CrashTestOptions,
  ExplorationError,
  explore,
  recorded,
  TestExecutor,
  whatIf,
} from "@rockpool/workflow/testing";

type Ctx = WorkflowContext;
type Tool = (workflow: (ctx: Ctx, input: never) => unknown, options: CrashTestOptions) => Promise<unknown>;

const charge = (cents: number) => cents;
const TOOLS: readonly (readonly [name: string, tool: Tool, error: typeof CrashTestError | typeof ExplorationError])[] =
  [
    ["crashTest", crashTest as unknown as Tool, CrashTestError],
    ["explore", explore as unknown as Tool, ExplorationError],
    ["whatIf", whatIf as unknown as Tool, ExplorationError],
  ];

/** Calls an activity, so that there is something to ask about. */
const failing = (makeError: () => unknown) =>
  async function order(ctx: Ctx) {
    await ctx.executeActivity(charge, 5, { timeoutMs: 1000 });
    throw makeError();
  };

for (const [name, tool, errorClass] of TOOLS) {
  Deno.test(`${name}() rejects when the plain run fails by a mistake, and says what to do`, async () => {
    const wrong = (_ctx: Ctx, input: { id: { length: number } }) => input.id.length;
    for (
      const [workflow, words] of [
        [wrong, "It fails although nothing goes wrong: TypeError: Cannot read properties of undefined"],
        // @ts-expect-error: there is no such variable
        [() => missing, "It fails although nothing goes wrong: ReferenceError: missing is not defined"],
      ] as const
    ) {
      const { message, cause } = await assertRejects(() => tool(workflow, { input: {} }), errorClass);
      assertStringIncludes(message, words);
      assertStringIncludes(message, "plain_run_test.ts");
      assertStringIncludes(message, 'is most likely a mistake in the test: pass the workflow its "input"');
      assertStringIncludes(message, "If the workflow is meant to fail so, pass expectFailure: true");
      assertEquals((cause as Error).name, /TypeError|ReferenceError/.exec(words)![0]);
    }
  });

  Deno.test(`${name}() says that the plain run fails by a mistake, and not what check makes of it`, async () => {
    const check = () => {
      throw new Error("nothing was paid");
    };
    const { message } = await assertRejects(
      () => tool(failing(() => new TypeError("no price")), { check }),
      errorClass,
    );
    assertStringIncludes(message, "It fails although nothing goes wrong: TypeError: no price");
  });

  Deno.test(`${name}() says that the plain run waits forever, also if a failure is expected`, async () => {
    const order = async (ctx: Ctx) => {
      await ctx.executeActivity(charge, 5, { timeoutMs: 1000 });
      await ctx.waitForSignal("go");
    };
    const { message } = await assertRejects(() => tool(order, { expectFailure: true }), errorClass);
    assertStringIncludes(message, "It waits forever");
  });

  Deno.test(`${name}() finds a mistake in an activity, in one of several errors and in a compensation`, async () => {
    const broken = () => (undefined as unknown as { id: string }).id;
    const compensated = async (ctx: Ctx) => {
      ctx.addCompensation((ctx) => ctx.executeActivity(broken));
      await ctx.executeActivity(charge, 5);
      throw new Error("out of stock");
    };
    for (
      const workflow of [
        (ctx: Ctx) => ctx.executeActivity(broken),
        failing(() => new AggregateError([new Error("a"), new TypeError("b")])),
        compensated,
      ]
    ) {
      const { message } = await assertRejects(() => tool(workflow, {}), errorClass);
      assertStringIncludes(message, "A TypeError is most likely a mistake in the test");
    }
  });

  Deno.test(`${name}() tests a workflow that fails on purpose`, async () => {
    await tool(failing(() => new NonRetryableError("out of stock")), {});
    await tool(failing(() => new Error("no price", { cause: new TypeError("not a number") })), {});
    await tool(failing(() => new TypeError("no price")), { expectFailure: true });
  });

  Deno.test(`${name}() rejects when the plain run does not fail although a failure is expected`, async () => {
    const order = (ctx: Ctx) => ctx.executeActivity(charge, 5, { timeoutMs: 1000 });
    const { message } = await assertRejects(() => tool(order, { expectFailure: true }), errorClass);
    assertStringIncludes(
      message,
      "The run in which nothing goes wrong is completed, and expectFailure says that it fails",
    );
    await assertRejects(
      () => tool(order, { expectFailure: 1 as never }),
      TypeError,
      '"expectFailure" must be a boolean',
    );
  });

  Deno.test(`${name}() rejects when the plain run needs an answer that its recorded history does not have`, async () => {
    const order = (ctx: Ctx, cents: number) => ctx.executeActivity(charge, cents).catch(() => "caught");
    await using executor = new TestExecutor();
    await (await executor.execute(order, { id: "a", input: 5 })).result();
    const activities = [recorded((await executor.store.load("a"))!)];
    const { message } = await assertRejects(() => tool(order, { input: 6, activities }), errorClass);
    assertStringIncludes(message, "The recorded history does not say what the run asks, although nothing goes wrong:");
    assertStringIncludes(message, ": charge with the input 6\nPut a replacement of it before recorded()");
  });
}
