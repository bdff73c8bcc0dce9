import { assertEquals } from "@std/assert";
import { inWorkflowContext, log, metricMeter, proxySinks, type Sinks, sleep, type WorkflowInfo } from "./mod.ts";
import { result } from "../tests/temporal/run.ts";

interface Out extends Sinks {
  out: { write(text: string): void; fails(): void; missing(): void; always(): void };
}

Deno.test("proxySinks() calls the sinks of the host once, and not on replay", async () => {
  const { out, other } = proxySinks<Out>();
  const workflow = async () => {
    out.write("a");
    out.always();
    await sleep(1);
    out.write("b");
    out.missing();
    other.missing();
    return "done";
  };
  let written: string[] = [];
  let always = 0;
  const runs: string[][] = [];
  const sinks = {
    out: {
      write: { fn: (info: WorkflowInfo, text: string) => void written.push(`${info.workflowType} ${text}`) },
      always: { fn: () => void always++, callDuringReplay: true },
    },
  };
  const setUp = () => void runs.push(written = []);
  assertEquals(await result(workflow, { host: { sinks }, setUp }), "done");
  assertEquals(runs[0], ["workflow a", "workflow b"]);
  assertEquals(always > runs.length, true);
});

Deno.test("a sink that fails is written to the log, and harms nobody", async () => {
  const { out } = proxySinks<Out>();
  const workflow = async () => {
    out.fails();
    await sleep(1);
    return "done";
  };
  const sinks = { out: { fails: { fn: () => Promise.reject(new Error("no")) } } };
  const lines: string[] = [];
  const executor = { logger: { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) } };
  assertEquals(await result(workflow, { host: { sinks }, executor }), "done");
  assertEquals(lines[0], "Sink out.fails failed");
});

Deno.test("log writes lines with fields, once", async () => {
  const workflow = async () => {
    log.info("hello", { a: 1 });
    log.trace("details");
    await sleep(1);
    metricMeter.createCounter("c").add(1);
  };
  const lines: unknown[] = [];
  const write = (message: string, fields?: Record<string, unknown>) =>
    void lines.push([message, fields?.a, fields?.workflowType, fields?.workflowId]);
  const executor = { logger: { debug: write, info: write, warn() {}, error() {} } };
  await result(workflow, { executor });
  assertEquals(lines.slice(0, 2), [["hello", 1, "workflow", "crash-test"], [
    "details",
    undefined,
    "workflow",
    "crash-test",
  ]]);
});

Deno.test("a sink runs outside of the workflow that calls it", async () => {
  const { out } = proxySinks<Out>();
  let inside: boolean | undefined;
  const sinks = { out: { write: { fn: () => void (inside = inWorkflowContext()) } } };
  await result(() => Promise.resolve(out.write("a")), { host: { sinks } });
  assertEquals(inside, false);
});
