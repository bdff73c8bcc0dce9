/** Middleware as pure functions; how an executor uses it is in `tests/executor/middleware_test.ts`. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { applyMiddleware } from "@rockpool/workflow/middleware";
import type { CallChanges, Middleware, MiddlewareCall } from "@rockpool/workflow";

const call: Extract<MiddlewareCall, { kind: "query" }> = { kind: "query", workflowId: "a", name: "q", args: [] };

/** Applies middleware, and returns everything that it did. */
async function apply(middleware: Middleware[], body: () => unknown = () => "answer") {
  let calls = 0;
  const reported: unknown[] = [];
  const [outcome] = await Promise.allSettled([
    applyMiddleware(
      middleware,
      call,
      async () => {
        calls++;
        return await body();
      },
      (error) => reported.push(error),
    ),
  ]);
  const result: { value?: unknown; reason?: unknown } = outcome.status === "fulfilled"
    ? { value: outcome.value }
    : { reason: outcome.reason };
  return { ...result, calls, reported };
}

const fail = (reason: unknown) => () => {
  throw reason;
};
const through: Middleware = (_call, next) => next();

Deno.test("applyMiddleware() returns what the body returns, without middleware or with one that only calls next", async () => {
  for (const middleware of [[], [through], [through, through]]) {
    assertEquals(await apply(middleware), { value: "answer", calls: 1, reported: [] });
    assertEquals(await apply(middleware, fail("no")), { reason: "no", calls: 1, reported: [] });
  }
});

Deno.test("applyMiddleware() puts the first middleware outermost", async () => {
  const log: string[] = [];
  const noting = (name: string): Middleware => async (_call, next) => {
    log.push(`before ${name}`);
    const answer = await next();
    log.push(`after ${name}`);
    return `${name}(${answer})`;
  };
  const { value } = await apply([noting("a"), noting("b")], () => (log.push("body"), "x"));
  assertEquals([value, log], ["a(b(x))", ["before a", "before b", "body", "after b", "after a"]]);
});

Deno.test("applyMiddleware() gives every middleware the call", async () => {
  const told: unknown[] = [];
  const noting: Middleware = (call, next) => (told.push(call), next());
  await apply([noting, noting]);
  assertEquals(told, [call, call]);
});

Deno.test("applyMiddleware() makes the call once, however often next is called", async () => {
  const eager: Middleware = async (_call, next) => {
    const answers = await Promise.all([next(), next()]);
    return [...answers, await next()];
  };
  let n = 0;
  assertEquals(await apply([eager, through], () => ++n), { value: [1, 1, 1], calls: 1, reported: [] });
});

Deno.test("applyMiddleware() lets a middleware return without making the call", async () => {
  assertEquals(await apply([through, () => "cached"]), { value: "cached", calls: 0, reported: [] });
});

Deno.test("applyMiddleware() lets a middleware return a value instead of a failure", async () => {
  const forgiving: Middleware = (_call, next) => next().catch(() => "default");
  assertEquals(await apply([forgiving], fail("no")), { value: "default", calls: 1, reported: [] });
});

Deno.test("applyMiddleware() does not report a failure that is passed on, by a throw or not", async () => {
  const rethrowing: Middleware = async (_call, next) => {
    try {
      return await next();
    } catch (error) {
      throw error;
    }
  };
  const error = new Error("no");
  assertEquals(await apply([rethrowing, through, rethrowing], fail(error)), { reason: error, calls: 1, reported: [] });
});

for (
  const [when, middleware] of [
    ["before the call", () => fail("own")()],
    ["before the call, by a promise", () => Promise.reject("own")],
    ["while the call is made", (_call, next) => (next(), fail("own")())],
    ["after the call", async (_call, next) => (await next().catch(() => {}), fail("own")())],
    ["instead of a failure", (_call, next) => next().then(fail("own"), fail("own"))],
  ] as [string, Middleware][]
) {
  Deno.test(`applyMiddleware() reports an error of a middleware's own ${when}, and ignores the middleware`, async () => {
    for (const others of [[], [through]]) {
      const around = [...others, middleware, ...others];
      assertEquals(await apply(around), { value: "answer", calls: 1, reported: ["own"] });
      assertEquals(await apply(around, fail("no")), { reason: "no", calls: 1, reported: ["own"] });
    }
  });
}

Deno.test("applyMiddleware() reports an error that was thrown before the call, although the call fails with the same", async () => {
  assertEquals(await apply([fail("no")], fail("no")), { reason: "no", calls: 1, reported: ["no"] });
});

Deno.test("applyMiddleware() reports each middleware that throws, and ignores it", async () => {
  const shout: Middleware = async (_call, next) => `${await next()}!`;
  assertEquals(await apply([fail("a"), shout, fail("b"), shout]), {
    value: "answer!!",
    calls: 1,
    reported: ["b", "a"],
  });
});

Deno.test("applyMiddleware() reports a middleware that is no function, and ignores it", async () => {
  const { value, reported } = await apply([undefined as unknown as Middleware, null as unknown as Middleware, through]);
  assertEquals(value, "answer");
  assertEquals(reported.map((error) => error instanceof TypeError), [true, true]);
});

Deno.test("applyMiddleware() leaves no rejection unhandled when a middleware ignores a failure", async () => {
  const careless: Middleware = (_call, next) => {
    next();
    return "early";
  };
  assertEquals(await apply([careless], fail("no")), { value: "early", calls: 1, reported: [] });
});

Deno.test("applyMiddleware() returns the result when the reporter throws, and does not report twice", async () => {
  let reports = 0;
  const report = () => {
    reports++;
    throw new Error("from the reporter");
  };
  await assertRejects(
    () => applyMiddleware([fail("own")], call, () => Promise.resolve(1), report),
    Error,
    "from the reporter",
  );
  assertEquals(reports, 1);
});

Deno.test("applyMiddleware() makes the call with what each middleware has changed", async () => {
  const seen: MiddlewareCall[] = [];
  const rename: Middleware = (call, next) => call.kind === "query" ? next({ name: `${call.name}!` }) : next();
  const noting: Middleware = (call, next) => (seen.push(call), next({}));
  const through = await applyMiddleware([rename, noting, rename], call, (call) => Promise.resolve(call), () => {});
  assertEquals([through, seen], [{ ...call, name: "q!!" }, [{ ...call, name: "q!" }]]);
});

Deno.test("applyMiddleware() ignores changes of a second next()", async () => {
  const eager: Middleware = async (_call, next) => [await next({ name: "a" }), await next({ name: "b" })];
  const names = await applyMiddleware([eager], call, ({ name }) => Promise.resolve(name), () => {});
  assertEquals(names, ["a", "a"]);
});

Deno.test("applyMiddleware() takes values that are undefined or those of the call for no change", async () => {
  const copying: Middleware = (call, next) => next({ ...call, name: undefined });
  const given = await applyMiddleware([copying], call, (call) => Promise.resolve(call), () => {});
  assertStrictEquals(given, call);
});

for (
  const [changes, message] of [
    [{ kind: "update" }, '"kind" stays as it is; it can change "name", "args"'],
    [{ input: 1 }, '"input" stays as it is; it can change "name", "args"'],
    [null, '"changes" must be an object, got null'],
    ["name", '"changes" must be an object, got "name"'],
  ] as [CallChanges, string][]
) {
  Deno.test(`applyMiddleware() rejects next() when it cannot change ${JSON.stringify(changes)}, and can be asked again`, async () => {
    const errors: unknown[] = [];
    const insisting: Middleware = (_call, next) => next(changes).catch((error) => (errors.push(error), next()));
    assertEquals(await apply([through, insisting]), { value: "answer", calls: 1, reported: [] });
    assertEquals((errors as Error[]).map((error) => error.message), [
      `Cannot change the query call in middleware[1]: ${message}`,
    ]);
    const { value, reported } = await apply([(_call, next) => next(changes)]);
    assertEquals([value, reported.length], ["answer", 1]);
  });
}

Deno.test("applyMiddleware() names the middleware whose change is refused, with the reason as its cause", async () => {
  const reported: unknown[] = [];
  const cause = new RangeError("too large");
  const change = () => {
    throw cause;
  };
  const renaming: Middleware = (_call, next) => next({ name: "x" });
  const body = ({ name }: typeof call) => Promise.resolve(name);
  const answer = await applyMiddleware([renaming], call, body, (error) => reported.push(error), change);
  const [error] = reported as Error[];
  assertEquals([answer, error.message], ["q", "Cannot change the query call in middleware[0]: too large"]);
  assertStrictEquals(error.cause, cause);
});
