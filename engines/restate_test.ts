/** The client, and what is refused at a call: without a server. On real servers: `tests/restate/`. */

import { CanceledError, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { RestateClient, restateServices } from "@rockpool/workflow/restate";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { fakeSdk, invokeRun, promiseOf } from "../tests/harm/fake_restate.ts";
import { macrotasks } from "../tests/support/executors.ts";
import { toErrorRecord } from "../history/error_record.ts";
import { Pump, PumpClock } from "./restate/pump.ts";
import { pack, type Packed, unpack } from "./restate/wire.ts";

const order = (_: WorkflowContext<string>, item: string) => item;
const run = { runId: "r", firstRunId: "r", invocationId: "i" };

interface Request {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** A server whose answers are given: values are packed, others are as they are, and errors are thrown. The last one is repeated. */
function server(...answers: readonly unknown[]) {
  const requests: Request[] = [];
  const fetch = (url: string, { headers, body }: RequestInit): Promise<Response> => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    const sent = body === undefined ? undefined : unpack(JSON.parse(body as string) as Packed<unknown>);
    requests.push({ url, headers: headers as Record<string, string>, body: sent });
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer instanceof Promise) return answer;
    return Promise.resolve(answer instanceof Response ? answer.clone() : Response.json(pack(answer)));
  };
  const open = (options = {}) => new RestateClient("http://localhost:8080/", { fetch, retryForMs: 0, ...options });
  return { requests, open };
}

/** Settles a promise, and lets the time pass that it waits for. */
async function whileTimePasses<T>(time: FakeTime, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => settled = true;
  promise.then(done, done);
  for (let i = 0; i < 1_000 && !settled; i++) {
    await macrotasks(2);
    time.tick(50);
  }
  return await promise;
}

Deno.test("RestateClient() refuses bad arguments, and names them", () => {
  const make = (ingress: unknown, options?: unknown) => () => new RestateClient(ingress as string, options as object);
  assertThrows(make("localhost"), TypeError, 'an address such as "http://localhost:8080"');
  assertThrows(make("http://a", { name: "a/b" }), TypeError, 'a name of letters, digits, "_", "-" and "."');
  assertThrows(make("http://a", { retryForMs: -1 }), RangeError, "retryForMs");
  assertThrows(make("http://a", { headers: { a: 1 } }), TypeError, "headers");
  assertThrows(make("http://a", { workflows: { order: 1 } }), TypeError, "workflows.order");
  assertThrows(make("http://a", { retryMs: 1 }), TypeError, "retryForMs");
});

Deno.test("restateServices() refuses what is no SDK, workflows that are no functions, and unknown options", () => {
  const make = (sdk: unknown, options: unknown) => () => restateServices(sdk as typeof fakeSdk, options as never);
  assertThrows(make({}, { workflows: {} }), TypeError, "sdk.object");
  assertThrows(make(fakeSdk, {}), TypeError, "workflows");
  assertThrows(make(fakeSdk, { workflows: { order: 1 } }), TypeError, "workflows.order");
  assertThrows(make(fakeSdk, { workflows: {}, name: "a/b" }), TypeError, "name");
  assertThrows(make(fakeSdk, { workflows: {}, retention: 1 }), TypeError, "retention");
});

Deno.test("RestateClient.execute() refuses at the call what Restate has no counterpart of, and what is ambiguous", async () => {
  const { requests, open } = server(run);
  const client = open();
  const error = await assertRejects(() => client.execute(order, { id: "a", input: "x", labels: {} }), WorkflowError);
  assertEquals(error.code, "unsupported");
  assertEquals(
    error.message,
    'Cannot execute workflow "a": Restate has no counterpart of "labels"; find the workflow by its ID',
  );
  const twice = { input: "x", startAfterMs: 1, startAt: 2 };
  await assertRejects(() => client.execute(order, twice), TypeError, '"startAfterMs" and "startAt" exclude each other');
  const nameless = (() => () => 1)();
  await assertRejects(() => client.execute(nameless), TypeError, 'has no name; pass it to the client in "workflows"');
  assertEquals(requests, []);
});

Deno.test("RestateClient.execute() sends the name of the function among the workflows, the input and the headers", async () => {
  const { requests, open } = server(run);
  const client = open({ workflows: { "shop order": order }, name: "shop", headers: { authorization: "secret" } });
  const handle = await client.execute(order, { id: "a/b", input: "x", headers: { traceparent: "t" } });
  assertEquals([handle.id, handle.runId], ["a/b", "r"]);
  const [{ url, headers, body }] = requests;
  assertEquals(url, "http://localhost:8080/shop/a%2Fb/start");
  assertEquals(headers.authorization, "secret");
  const { name, input, headers: sent } = body as Record<string, unknown>;
  assertEquals([name, input, sent], ["shop order", "x", { traceparent: "t" }]);
});

Deno.test("RestateClient.execute() rejects as an executor does when the workflow runs or has finished", async () => {
  const refused = (refused: string, status: string) => server({ refused, status }).open();
  const running = refused("already_running", "running").execute(order, { id: "a", input: "x" });
  assertEquals((await assertRejects(() => running, WorkflowError)).code, "already_running");
  const finished = refused("already_finished", "completed").execute(order, { id: "a", input: "x", reuse: "reject" });
  const { code, message } = await assertRejects(() => finished, WorkflowError);
  assertEquals(code, "already_finished");
  assertEquals(message, 'Cannot execute workflow "a": its status is "completed", and "reuse" is "reject"');
});

Deno.test("RestateClient repeats a call under one idempotency key while the server does not answer", async () => {
  using time = new FakeTime();
  const busy = new Response("busy", { status: 503 });
  const { requests, open } = server(new TypeError("connection refused"), busy, new Response("", { status: 429 }), run);
  await whileTimePasses(time, open({ retryForMs: 10_000 }).signal("a", "paid", 5));
  assertEquals(requests.length, 4);
  assertEquals(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1);
});

Deno.test("RestateHandle.result() waits for a run that has not arrived at the server", async () => {
  using time = new FakeTime();
  const described = { ...run, name: "order", status: "running", createdAt: 0, updatedAt: 0 };
  const { requests, open } = server(
    ...[run, described, new Response("not found", { status: 404 }), { status: "completed", result: "sent" }],
  );
  const client = open({ retryForMs: 10_000 });
  const handle = await client.execute(order, { id: "a", input: "x" });
  assertEquals(await whileTimePasses(time, handle.result()), "sent");
  assertEquals(requests.length, 4);
});

Deno.test("RestateClient.query() and load() ask again while a run that was sent off has no history", async () => {
  using time = new FakeTime();
  const running = { ...run, name: "order", status: "running", createdAt: 0, updatedAt: 0 };
  const asked = server(running, undefined, running, { result: "waits" });
  assertEquals(await whileTimePasses(time, asked.open({ retryForMs: 10_000 }).query("a", "state")), "waits");
  assertEquals(asked.requests.length, 4);
  const batch = [{ type: "workflow_started", at: 1, workflowName: "order", input: "x" }];
  const loaded = server(running, undefined, running, [batch]);
  assertEquals((await whileTimePasses(time, loaded.open({ retryForMs: 10_000 }).load("a")))!.history.length, 1);
});

Deno.test("RestateClient.query() and load() answer at once when Restate has dropped the history of a finished run", async () => {
  const finished = { ...run, name: "order", status: "completed", createdAt: 0, updatedAt: 0, outcome: {} };
  const dropped = () => server(finished, undefined).open({ retryForMs: 10_000 });
  assertEquals(await dropped().load("a"), null);
  const error = await assertRejects(() => dropped().query("a", "state"), WorkflowError);
  assertEquals(error.message, 'Cannot query workflow "a": Restate has no history of it');
});

Deno.test("RestateClient.execute() forgets its signal when the workflow has ended, and cancels it before", async () => {
  let listeners = 0;
  const { signal } = new AbortController();
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  signal.addEventListener = (...args: [string, EventListener]) => (listeners++, addEventListener.apply(signal, args));
  signal.removeEventListener = (...args: [string, EventListener]) => (
    listeners--, removeEventListener.apply(signal, args)
  );
  const ended = Promise.withResolvers<Response>();
  const { open } = server(run, run, ended.promise);
  await open().execute(order, { id: "a", input: "x", signal });
  await macrotasks(5);
  assertEquals(listeners, 1);
  ended.resolve(Response.json(pack({ status: "completed", result: 5 })));
  await macrotasks(5);
  assertEquals(listeners, 0);

  const controller = new AbortController();
  const canceled = server(run, run, new Response(new ReadableStream()), run);
  await canceled.open().execute(order, { id: "a", input: "x", signal: controller.signal });
  await macrotasks(5);
  controller.abort(Symbol("any reason"));
  await macrotasks(5);
  const { message } = canceled.requests.at(-1)!.body as { message: unknown };
  assertEquals(message, { kind: "cancel", reason: "Symbol(any reason)" });
});

Deno.test("RestateClient.execute() does not cancel a workflow that it joins when its signal is aborted", async () => {
  const { requests, open } = server({ ...run, isJoined: true });
  const controller = new AbortController();
  await open().execute(order, { id: "a", input: "x", onConflict: "join", signal: controller.signal });
  controller.abort();
  await macrotasks(5);
  assertEquals(requests.length, 1);
});

Deno.test("RestateClient.update() rejects when the run was killed in Restate", async () => {
  using time = new FakeTime();
  const killed = new Response('{"code":409,"message":"killed"}', { status: 409 });
  const { requests, open } = server(run, new Promise(() => {}), killed, undefined);
  const error = await assertRejects(() => whileTimePasses(time, open().update("a", "add", 1)), WorkflowError);
  assertEquals([error.code, error.message], ["not_found", 'Cannot update workflow "a": its status is "canceled"']);
  assertEquals(requests.map(({ url }) => url.split("/").at(-1)), ["deliver", "answer", "attach", "watch"]);
});

Deno.test("RestateClient gives a call up after retryForMs, with the last failure as the cause", async () => {
  using time = new FakeTime();
  const failure = new TypeError("connection refused");
  const { requests, open } = server(failure);
  const call = open({ retryForMs: 1_000 }).signal("a", "paid");
  const error = await assertRejects(() => whileTimePasses(time, call), WorkflowError);
  assertEquals(error.code, "store_failed");
  assertEquals(error.message, 'Cannot call Restate "rockpool/a": connection refused');
  assertEquals(error.cause, failure);
  assert(requests.length > 2);
});

Deno.test("RestateClient repeats no call that the server refuses, and shows its answer", async () => {
  const { requests, open } = server(new Response("service 'rockpool' not found", { status: 404 }));
  const error = await assertRejects(() => open({ retryForMs: 10_000 }).signal("a", "paid"), WorkflowError);
  assertEquals(error.code, "store_failed");
  const text = `Cannot call Restate "rockpool/a": Restate answered 404: service 'rockpool' not found`;
  assertEquals(error.message, text);
  assertEquals(requests.length, 1);
});

Deno.test("RestateClient says that a workflow does not exist, or has ended", async () => {
  const none = server({ refused: "not_found" }).open();
  const missing = await assertRejects(() => none.cancel("a"), WorkflowError);
  assertEquals([missing.code, missing.message], ["not_found", 'Cannot cancel workflow "a": it does not exist']);
  const ended = server({ refused: "not_found", status: "failed" }).open();
  const closed = await assertRejects(() => ended.terminate("a"), WorkflowError);
  assertEquals([closed.code, closed.message], ["not_found", 'Cannot terminate workflow "a": its status is "failed"']);
});

Deno.test("RestateHandle.result() returns values and errors of their own kind", async () => {
  const result = new Map([["at", new Date(5)]]);
  const completed = await server(run, { ...run, outcome: { status: "completed", result } }).open().execute(order, {
    input: "x",
  });
  assertEquals(await completed.result(), result as never);
  const endsWith = async (status: string, error: Error) => {
    const { open } = server(run, { ...run, outcome: { status, error: toErrorRecord(error) } });
    return (await open().execute(order, { input: "x" })).result();
  };
  await assertRejects(() => endsWith("canceled", new CanceledError("enough")), CanceledError, "enough");
  const failure = new RangeError("above", { cause: new TypeError("why") });
  const { cause } = await assertRejects(() => endsWith("failed", failure), RangeError, "above");
  assert(cause instanceof TypeError);
});

Deno.test("RestateHandle.result() follows the runs of a chain", async () => {
  const next = { runId: "s", firstRunId: "r", invocationId: "j" };
  const outcome = { status: "completed", result: 5 };
  const { requests, open } = server(run, run, { status: "continued", next }, { ...next, outcome });
  const handle = await open().execute(order, { id: "a", input: "x" });
  assertEquals(await handle.result(), 5 as never);
  assertEquals(requests.map(({ url }) => url.replace("http://localhost:8080/", "")), [
    "rockpool/a/start",
    "rockpool/a/describe",
    "restate/workflow/rockpool.run/r/attach",
    "rockpool/a/describe",
  ]);
});

Deno.test("RestateHandle.result() rejects when another run has replaced its own", async () => {
  const { open } = server(run, { runId: "s", firstRunId: "s", invocationId: "j" });
  const handle = await open().execute(order, { id: "a", input: "x" });
  await assertRejects(() => handle.result(), WorkflowError, "another run has replaced it");
});

Deno.test("RestateHandle.result() stops to wait when its signal aborts", async () => {
  const { open } = server(run, run, new Response(new ReadableStream())); // the attach is open for ever
  const handle = await open().execute(order, { id: "a", input: "x" });
  const controller = new AbortController();
  const result = handle.result({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => result, Error, "enough");
});

Deno.test("RestateClient.update() rejects with what the validation of its definition throws, and sends nothing", async () => {
  const { requests, open } = server(run);
  const validate = (cents: number) => {
    if (cents < 0) throw new RangeError("below zero");
  };
  const pay = { kind: "update", name: "pay", validate } as const;
  await assertRejects(() => open().update("a", pay as never, -1 as never), RangeError, "below zero");
  assertEquals(requests, []);
});

Deno.test("restateServices(): the history of a run is asked for at once, not one batch after the other", async () => {
  const [, { handlers }] = restateServices(fakeSdk, { workflows: {} }) as unknown as [
    unknown,
    { handlers: { history(ctx: unknown): Promise<Packed<unknown>> } },
  ];
  const count = 50;
  let asked = 0;
  const allAsked = Promise.withResolvers<void>();
  const ctx = {
    stateKeys: () => Promise.resolve(["other", ...Array.from({ length: count }, (_, i) => `events ${i}`)]),
    async get(key: string) {
      if (++asked === count) allAsked.resolve();
      await allAsked.promise;
      return pack([key]);
    },
  };
  assertEquals(unpack(await handlers.history(ctx)), Array.from({ length: count }, (_, i) => [`events ${i}`]));
});

Deno.test("restateServices(): a run returns what its workflow returns, and its error with the class name", async () => {
  const ends = async (harmed: (ctx: WorkflowContext) => unknown) =>
    unpack(await invokeRun({ workflows: { harmed } }) as Packed<Record<string, unknown>>);
  assertEquals(await ends((ctx) => ctx.executeActivity(() => new Set([5]))), {
    status: "completed",
    result: new Set([5]),
  });
  const failed = await ends(() => Promise.reject(new RangeError("no")));
  assertEquals(failed.status, "failed");
  assertEquals((failed.error as { name: string }).name, "RangeError");
});

Deno.test("restateServices(): the end of an activity says what time it is in the run", async () => {
  const harmed = async (ctx: WorkflowContext) => {
    const before = ctx.now();
    await ctx.executeActivity(() => {});
    return [before, ctx.now()];
  };
  const startedAt = Date.now();
  const { result } = unpack(await invokeRun({ workflows: { harmed } }) as Packed<{ result: [number, number] }>);
  assertEquals([result[0], result[1] >= startedAt], [0, true]);
});

Deno.test("restateServices(): an attempt that Restate gives up aborts its activities", async () => {
  const attempt = new AbortController();
  const begun = Promise.withResolvers<AbortSignal>();
  const harmed = (ctx: WorkflowContext) =>
    ctx.executeActivity((_: unknown, { signal }) => new Promise(() => begun.resolve(signal)));
  const ended = invokeRun({ workflows: { harmed } }, attempt.signal).catch((error) => error.code);
  const signal = await begun.promise;
  assertEquals(signal.aborted, false);
  attempt.abort();
  await macrotasks(5);
  assertEquals(signal.aborted, true);
  assertEquals(await ended, "closed");
});

const REFUSED: Record<string, [call: (ctx: WorkflowContext) => unknown, words: string]> = {
  "patched()": [
    (ctx) => ctx.patched("a"),
    "it; it runs each invocation to its end with the code of the deployment that began it",
  ],
  "an activity with atMostOnce": [
    (ctx) => ctx.executeActivity(() => 1, undefined, { atMostOnce: true }),
    '"atMostOnce"; an entry of its journal that has no outcome runs again; make the activity safe to repeat by its idempotencyKey',
  ],
  "an activity with heartbeatTimeoutMs": [
    (ctx) => ctx.executeActivity(() => 1, undefined, { heartbeatTimeoutMs: 5 }),
    '"heartbeatTimeoutMs"; use timeoutMs, or several activities',
  ],
  "an activity of store.transactional()": [
    async (ctx) => {
      await using store = await SqliteStore.open(":memory:");
      return await ctx.executeActivity(store.transactional(function charge() {}));
    },
    "transactional(); write under its idempotencyKey in a transaction of your own",
  ],
  "a heartbeat": [
    (ctx) => ctx.executeActivity((_: unknown, { heartbeat }) => heartbeat(1)),
    "heartbeats; use timeoutMs, or several activities",
  ],
};

for (const [what, [call, words]] of Object.entries(REFUSED)) {
  Deno.test(`restateServices(): ${what} is refused at the call, and the workflow can go on`, async () => {
    const harmed = async (ctx: WorkflowContext) => {
      try {
        await call(ctx);
      } catch (error) {
        const { code, message } = error as WorkflowError;
        return `${code}: ${message}`;
      }
    };
    const { result } = unpack(await invokeRun({ workflows: { harmed } }) as Packed<{ result: string }>);
    assert(result.startsWith("unsupported: Cannot "), result);
    assert(result.endsWith(`Restate has no counterpart of ${words}`), result);
  });
}

Deno.test("PumpClock.reach() does not go back when a message comes from a machine whose clock is behind", () => {
  const never = () => assert(false) as never;
  const clock = new PumpClock(10, new Pump(never), never);
  clock.reach(30);
  clock.reach(20);
  assertEquals(clock.now(), 30);
});

Deno.test("PumpClock.setTimer(): a timer that is cleared takes part in no race, and does not fire", async () => {
  const timers: ReturnType<typeof promiseOf<void>>[] = [];
  const raced: number[] = [];
  const pump = new Pump((promises) => (raced.push(promises.length), Promise.race(promises)));
  const clock = new PumpClock(0, pump, () => (timers.push(promiseOf<void>()), timers.at(-1)!.promise));
  const fired: string[] = [];
  const clear = clock.setTimer(10, () => fired.push("cleared"));
  clock.setTimer(20, () => fired.push("kept"));
  clear();
  timers[0].resolve();
  timers[1].resolve();
  await pump.next();
  await macrotasks(1);
  assertEquals([fired, raced, clock.now()], [["kept"], [1], 20]);
});
