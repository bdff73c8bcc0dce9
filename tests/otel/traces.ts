/** What Deno's exporter and the SDK in Node send, received and decoded. `deno task otel` runs it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Receiver } from "./receiver.ts";
import { onDeno, onNode, type Running, type Runtime } from "./runtimes.ts";

const runtimes = await Promise.all([onDeno(), onNode()]);
Deno.test.afterAll(async () => {
  for (const runtime of runtimes) await runtime[Symbol.asyncDispose]();
});

/** Runs a part of the program to its end. */
async function run(runtime: Runtime, receiver: Receiver, ...args: string[]): Promise<string[]> {
  await using program = runtime.start(receiver, ...args);
  return await program.ended();
}

/** Waits until a program prints a line. */
async function printed(program: Running, line: string): Promise<void> {
  while (!program.lines.includes(line)) {
    const hasEnded = await Promise.race([program.ended(), new Promise((resolve) => setTimeout(resolve, 5))]);
    if (hasEnded) throw new Error(`The program has ended, and did not print ${line}`);
  }
}

const traceOf = (receiver: Receiver, name: string) => receiver.span(name).traceId;
/** The trace that begins with a span. */
const treeOf = (receiver: Receiver, name: string) => receiver.tree(traceOf(receiver, name));

for (const runtime of runtimes) {
  const test = (name: string, body: (receiver: Receiver) => Promise<void>) =>
    Deno.test(`otel() on ${runtime.name}: ${name}`, async () => {
      await using receiver = new Receiver();
      await body(receiver);
    });

  test("a run, its child and its messages are one trace when the process is killed", async (receiver) => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/store`;
      {
        await using first = runtime.start(receiver, "begin", file);
        await printed(first, "ready");
        await receiver.until(() => receiver.spans.some(({ name }) => name === "activity wrap"));
      } // killed
      const lines = await run(runtime, receiver, "end", file);
      assertEquals(lines.at(-1), '["yes","shell in paper"]');
      assertEquals(treeOf(receiver, "POST /orders"), [
        "POST /orders",
        "  start order PRODUCER",
        "    activity charge failed",
        "    activity charge failed",
        "    activity charge",
        "    execute order",
        "    handle signal approve CONSUMER -> signal approve",
        "    handle update price CONSUMER -> update price",
        "    run order",
        "    signal ship PRODUCER",
        "    start pack PRODUCER",
        "      activity wrap",
        "      execute pack",
        "      handle signal ship CONSUMER -> signal ship",
        "      run pack",
      ]);
      assertEquals(treeOf(receiver, "POST /approve"), ["POST /approve", "  signal approve PRODUCER"]);
      assertEquals(treeOf(receiver, "POST /price"), ["POST /price", "  update price PRODUCER"]);
      assertEquals(treeOf(receiver, "GET /approved"), ["GET /approved", "  query approved CLIENT"]);

      // The span of the run has the times of the history: it begins in the first process.
      const [started, ended] = [receiver.span("start order"), receiver.span("run order")];
      const visit = receiver.span("execute order");
      const [wrapped] = receiver.spans.filter(({ name }) => name === "activity wrap");
      assert(started.startedAt - 1 <= ended.startedAt && ended.startedAt <= wrapped.startedAt, "the start of the run");
      assert(ended.endedAt >= receiver.span("signal approve").startedAt - 1, "the end of the run");
      assert(visit.startedAt > started.endedAt && Number(visit.attributes["rockpool.replay.events"]) >= 5);
      assertEquals(visit.attributes["rockpool.visit.end"], "completed");
      assertEquals(started.attributes["rockpool.workflow.run_id"], ended.attributes["rockpool.workflow.run_id"]);
      assertEquals(receiver.span("run pack").attributes["rockpool.workflow.parent.id"], "order-1");

      // Lines of the workflow's log name the trace, whoever has woken it.
      const log = lines.filter((line) => line.startsWith("log"));
      const { traceId, spanId } = visit;
      assertEquals(log, [`log price ${traceId} ${spanId}`, `log approved ${traceId} ${spanId}`]);
      if (runtime.name === "Deno") {
        const sent = receiver.lines.filter(({ text }) => text.startsWith("log"));
        assertEquals(sent.map((line) => [line.traceId, line.spanId]), [[traceId, spanId], [traceId, spanId]]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  test("the attempts of an activity have their errors, and whether another one follows", async (receiver) => {
    await run(runtime, receiver, "harm");
    const attempts = receiver.spans.filter(({ name }) => name === "activity charge");
    attempts.sort((a, b) => a.startedAt - b.startedAt);
    assertEquals(
      attempts.map(({ attributes }) => [
        attributes["rockpool.activity.attempt"],
        attributes["rockpool.activity.outcome"],
        attributes["rockpool.activity.will_retry"],
        attributes["error.type"],
      ]),
      [[1, "failed", true, "RangeError"], [2, "failed", true, "RangeError"], [3, "completed", undefined, undefined]],
    );
    const [{ events: [event] }] = attempts;
    assertEquals(event.name, "exception");
    assertEquals(event.attributes["exception.type"], "RangeError");
    assertEquals(event.attributes["exception.message"], "declined 1");
    assertMatch(String(event.attributes["exception.stacktrace"]), /program/);
  });

  test("hooks and middleware that throw take no span away", async (receiver) => {
    await run(runtime, receiver, "harm");
    assertEquals(treeOf(receiver, "harm"), [
      "harm",
      "  start harm PRODUCER",
      "    activity charge failed",
      "    activity charge failed",
      "    activity charge",
      "    execute harm",
      "    run harm",
    ]);
  });

  test("runs that continue as new, compensate, are cancelled or exceed a time", async (receiver) => {
    await run(runtime, receiver, "others");
    assertEquals(treeOf(receiver, "chain"), [
      "chain",
      "  start chain PRODUCER",
      ...Array(3).fill("    activity charge"),
      ...Array(3).fill("    execute chain"),
      ...Array(3).fill("    run chain"),
    ]);
    const runs = receiver.spans.filter(({ name }) => name === "run chain");
    const statuses = runs.map(({ attributes }) => attributes["rockpool.workflow.status"]);
    assertEquals(statuses.sort(), ["completed", "continued", "continued"]);
    assertEquals(new Set(runs.map(({ attributes }) => attributes["rockpool.workflow.run_id"])).size, 3);

    assertEquals(treeOf(receiver, "trip"), [
      "trip",
      "  start trip PRODUCER",
      "    activity charge",
      "    activity charge failed",
      "    activity refund",
      "    compensation refund",
      "    execute trip",
      "    run trip failed",
    ]);
    const { attributes, events: [event] } = receiver.span("run trip");
    assertEquals([attributes["rockpool.workflow.status"], attributes["error.type"]], ["failed", "RangeError"]);
    assertEquals(event.attributes["exception.message"], "negative");

    assertEquals(treeOf(receiver, "stuck"), [
      "stuck",
      "  cancel workflow PRODUCER",
      "  start stuck PRODUCER",
      "    activity hang",
      "    execute stuck",
      "    run stuck",
    ]);
    assertEquals(receiver.span("activity hang").attributes["rockpool.activity.outcome"], "canceled");
    assertEquals(receiver.span("run stuck").attributes["rockpool.workflow.status"], "canceled");

    const late = receiver.span("activity ignore"); // its function never ends
    assertEquals([late.failed, late.attributes["error.type"]], [true, "TimeoutError"]);
    // The time of 20 ms begins before the span does, on a busy machine some milliseconds.
    const { startedAt } = receiver.span("execute late");
    assert(late.endedAt - startedAt >= 18, `the attempt ended after ${late.endedAt - startedAt} ms`);
    assertEquals(treeOf(receiver, "refused"), ["refused", "  query nothing CLIENT failed"]);
  });

  test("a replay makes no span again, but a visit", async (receiver) => {
    await run(runtime, receiver, "dormant");
    assertEquals(treeOf(receiver, "sleep"), [
      "sleep",
      "  signal go PRODUCER",
      "  start sleeper PRODUCER",
      "    activity charge",
      "    execute sleeper",
      "    execute sleeper",
      "    handle signal go CONSUMER -> signal go",
      "    run sleeper",
    ]);
    const visits = receiver.spans.filter(({ name }) => name === "execute sleeper");
    visits.sort((a, b) => a.startedAt - b.startedAt);
    assertEquals(
      visits.map(({ attributes }) => [attributes["rockpool.replay.events"], attributes["rockpool.visit.end"]]),
      [[0, "dormant"], [3, "completed"]],
    );
  });

  test("the traces of two callers at the same time are not mixed", async (receiver) => {
    const lines = await run(runtime, receiver, "tenants");
    for (const name of ["ada", "bob"]) {
      const [start] = treeOf(receiver, `tenant ${name}`).filter((line) => line.includes("start"));
      assertEquals(start, "  start tenant PRODUCER");
      assertEquals(treeOf(receiver, `tenant ${name}`), [
        `tenant ${name}`,
        "  signal end PRODUCER",
        "  start tenant PRODUCER",
        ...Array(3).fill("    activity charge"),
        "    execute tenant",
        "    handle signal end CONSUMER -> signal end",
        ...Array(3).fill("    handle update change CONSUMER -> update change"),
        "    run tenant",
        ...Array(3).fill("  update change PRODUCER"),
      ]);
      const spans = receiver.spans.filter(({ attributes }) => attributes["rockpool.workflow.id"] === name);
      assertEquals(new Set(spans.map(({ traceId }) => traceId)), new Set([traceOf(receiver, `tenant ${name}`)]));
      const logged = lines.filter((line) => line.includes(name)).map((line) => line.split(" ")[3]);
      assertEquals(logged, Array(4).fill(traceOf(receiver, `tenant ${name}`)));
    }
  });

  test("messages of another executor, and of a start, are linked to their senders", async (receiver) => {
    await run(runtime, receiver, "remote");
    assertEquals(treeOf(receiver, "start"), [
      "start",
      "  start tenant PRODUCER",
      "    activity charge",
      "    execute tenant",
      "    handle signal early CONSUMER -> start tenant",
      "    handle signal end CONSUMER -> signal end",
      "    handle update change CONSUMER -> update change",
      "    run tenant",
    ]);
    assertEquals(treeOf(receiver, "client"), ["client", "  signal end PRODUCER", "  update change PRODUCER"]);
    const { traceId, parentId } = receiver.span("start chain");
    assertEquals([traceId, parentId], ["a".repeat(32), "b".repeat(16)]);
    const handed = receiver.spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
    assertEquals(handed.sort(), ["activity charge", "execute chain", "run chain", "start chain"]);
  });

  test("the program of the page docs/observability.md sends a trace", async (receiver) => {
    await using program = runtime.startPage(receiver);
    await program.ended();
    assertEquals(receiver.spans.map(({ name }) => name).sort(), [
      "activity charge",
      "execute order",
      "run order",
      "start order",
    ]);
    assertEquals(receiver.point("rockpool.workflow.started", {})?.value, 1);
  });

  test("the metrics add up, and have no IDs", async (receiver) => {
    await run(runtime, receiver, "others");
    const value = (name: string, attributes: Record<string, unknown> = {}) => {
      const point = receiver.point(`rockpool.${name}`, attributes);
      return point?.count ?? point?.value;
    };
    const of = (name: string) => ({ "rockpool.workflow.name": name });
    for (const [name, count] of Object.entries({ chain: 3, trip: 1, stuck: 1, late: 1 })) {
      assertEquals([value("workflow.started", of(name)), value("workflow.active", of(name))], [count, 0], name);
    }
    const ended = (name: string, status: string) =>
      value("workflow.duration", { ...of(name), "rockpool.workflow.status": status });
    assertEquals([ended("chain", "continued"), ended("chain", "completed")], [2, 1]);
    assertEquals([ended("trip", "failed"), ended("stuck", "canceled"), ended("late", "failed")], [1, 1, 1]);
    const attempts = (name: string, outcome: string, metric = "attempts") =>
      value(`activity.${metric}`, { "rockpool.activity.name": name, "rockpool.activity.outcome": outcome });
    assertEquals([attempts("charge", "completed"), attempts("charge", "failed")], [4, 1]);
    assertEquals([attempts("charge", "completed", "duration"), attempts("hang", "canceled", "duration")], [4, 1]);
    assertEquals(receiver.point("rockpool.activity.attempts", { "rockpool.activity.name": "ignore" })!.attributes, {
      "error.type": "TimeoutError",
      "rockpool.activity.name": "ignore",
      "rockpool.activity.outcome": "failed",
    });
    assertEquals(value("activity.queue_time", { "rockpool.activity.name": "charge" }), 5);
    assert(Number(value("store.append.duration")) >= 20);
    const ids = ["workflow.id", "run_id", "parent.id"];
    const found = [...receiver.metrics].flatMap(([name, points]) =>
      points.flatMap(({ attributes }) => Object.keys(attributes).map((key) => `${name} ${key}`))
    );
    assertEquals(found.filter((key) => ids.some((id) => key.endsWith(id))), []);
  });

  test("the gauge counts runs by what they wait for", async (receiver) => {
    await using program = runtime.start(receiver, "gauge");
    await printed(program, "ready");
    const waiting = (type: string) => receiver.point("rockpool.runs.waiting", { "rockpool.wait.type": type })?.value;
    await receiver.until(() => waiting("signal") === 1 && waiting("activity") === 1);
    await program.send("end");
    await program.ended();
  });
}
