import { assertEquals, assertRejects } from "@std/assert";
import { Context } from "./activity/mod.ts";
import {
  condition,
  continueAsNew,
  defaultPayloadConverter,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  type Headers,
  log,
  proxyActivities,
  setHandler,
  sleep,
  type WorkflowInterceptors,
} from "./mod.ts";
import { readHeaders, writeHeaders } from "./headers.ts";
import { failure, once, result } from "../tests/temporal/run.ts";

const host = (interceptors: WorkflowInterceptors) => ({ interceptors: [() => interceptors] });
const { act } = proxyActivities<{ act(n: number): Promise<number> }>({ startToCloseTimeout: "1 minute" });
const activities = { act: (n: number) => n };

Deno.test("outbound interceptors are around the calls of a workflow, the first outermost", async () => {
  const workflow = async () => {
    await sleep("1 hour");
    return await act(1);
  };
  const make = (name: string, plus: number): WorkflowInterceptors => ({
    outbound: [{
      startTimer: (input, next) => next({ ...input, durationMs: 1 }),
      scheduleActivity: async (input, next) => {
        const [n] = input.args as [number];
        return `${name}(${await next({ ...input, args: [n + plus] })})`;
      },
    }],
  });
  const interceptors = [() => make("outer", 1), () => make("inner", 10)];
  assertEquals(await result(workflow, { activities, host: { interceptors } }), "outer(inner(12))");
});

Deno.test("inbound interceptors are around the workflow and its handlers", async () => {
  const seen: string[] = [];
  const workflow = async (n: number) => {
    let sum = n;
    setHandler(defineSignal<[number]>("signal"), (n) => void (sum += n));
    setHandler(defineUpdate<number, [number]>("update"), (n) => sum += n, { validator: (_: number) => {} });
    setHandler(defineQuery<number, [number]>("query"), (n) => sum + n);
    await condition(() => sum > 100);
    return sum;
  };
  const interceptors = host({
    inbound: [{
      execute: async ({ args: [n], headers }, next) => `executed ${await next({ args: [(n as number) + 1], headers })}`,
      handleSignal: (input, next) => next({ ...input, args: [100] }),
      handleUpdate: async (input, next) => `updated ${await next({ ...input, args: [10] })}`,
      validateUpdate(input, next) {
        seen.push(input.name);
        next(input);
      },
      handleQuery: (input, next) => next({ ...input, args: [1000] }),
    }],
  });
  await once(workflow, { args: [1], host: interceptors }, async (handle) => {
    assertEquals(await handle.update("update", [5]), "updated 12");
    assertEquals(await handle.query("query", 5), 1012);
    await handle.signal("signal", [5]);
    assertEquals(await handle.result(), "executed 112");
    assertEquals(seen, ["update"]);
  });
});

Deno.test("headers travel with activities, children, signals and to the next run", async () => {
  const trace = (headers: Headers) => headers.trace && defaultPayloadConverter.fromPayload(headers.trace as never);
  const add = <Input extends { headers: Headers }>(input: Input): Input => ({
    ...input,
    headers: { ...input.headers, trace: defaultPayloadConverter.toPayload("t") as never },
  });
  const seen = new Set<string>();
  const interceptors = host({
    inbound: [{
      execute(input, next) {
        seen.add(`execute ${trace(input.headers)}`);
        return next(input);
      },
      handleSignal(input, next) {
        seen.add(`signal ${trace(input.headers)}`);
        return next(input);
      },
    }],
    outbound: [{
      scheduleActivity: (input, next) => next(add(input)),
      startChildWorkflowExecution: (input, next) => next(add(input)),
      signalWorkflow: (input, next) => next(add(input)),
      continueAsNew: (input, next) => next(add(input)),
    }],
  });
  const child = async (n: number): Promise<void> => {
    if (n === 0) await continueAsNew<typeof child>(1);
    let done = false;
    setHandler(defineSignal("go"), () => void (done = true));
    await condition(() => done);
  };
  const workflow = async () => {
    await act(1);
    const ended = executeChild(child, { workflowId: "child", args: [0] });
    await getExternalWorkflowHandle("child").signal("go");
    await ended;
  };
  const activityInterceptors = [() => ({
    inbound: {
      execute(input: { headers: Headers }, next: (input: never) => Promise<unknown>) {
        seen.add(`activity ${trace(input.headers)} ${Context.current().info.activityType}`);
        return next(input as never);
      },
    },
  })];
  const options = { ...interceptors, activityEnvironment: { interceptors: activityInterceptors } };
  await result(workflow, { activities, others: { child }, host: options, compare: "outcomes" });
  assertEquals([...seen].sort(), ["activity t act", "execute t", "execute undefined", "signal t"]);
});

Deno.test("getLogAttributes() of an interceptor changes the fields of lines", async () => {
  const lines: unknown[] = [];
  const executor = {
    logger: { debug() {}, info: (_: string, fields?: object) => void lines.push(fields), warn() {}, error() {} },
  };
  const interceptors = host({ outbound: [{ getLogAttributes: (input, next) => next({ ...input, extra: 1 }) }] });
  const workflow = () => Promise.resolve(log.info("line"));
  await result(workflow, { executor, host: interceptors });
  assertEquals((lines[0] as { extra: number }).extra, 1);
});

Deno.test("interceptors of internals are refused with words", async () => {
  const error = await failure(() => Promise.resolve(), { expectFailure: true, host: host({ internals: [{}] }) });
  assertEquals(
    error.message,
    'Cannot use interceptors of internals with "@rockpool/workflow/temporal": there are no activations of a worker to intercept',
  );
});

Deno.test("an interceptor of a query that answers later is refused", async () => {
  const interceptors = host({
    inbound: [{
      async handleQuery(input, next) {
        await Promise.resolve();
        return await next(input);
      },
    }],
  });
  const workflow = async () => {
    setHandler(defineQuery("query"), () => 1);
    await sleep("1 day");
  };
  await once(workflow, { host: interceptors }, async (handle) => {
    await assertRejects(() => handle.query("query"), TypeError, "did not call the next one before its first await");
  });
});

Deno.test("a header without data has none after its travel", () => {
  const text = writeHeaders({ empty: { metadata: { encoding: new Uint8Array([1]) } } });
  assertEquals(readHeaders(text), { empty: { metadata: { encoding: new Uint8Array([1]) } } });
});
