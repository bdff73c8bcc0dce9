import { assertEquals, assertInstanceOf } from "@std/assert";
import { inWorkflowContext, proxyActivities, sleep, TemporalHost, workflowInfo } from "./mod.ts";
import { failure, result, run } from "../tests/temporal/run.ts";

const host = { patchGlobals: true };

Deno.test("patchGlobals makes Date the time of the workflow, and keeps its other forms", async () => {
  const workflow = async () => {
    const start = workflowInfo().runStartTime.getTime();
    await sleep("1 hour");
    const now = new Date();
    assertInstanceOf(now, Date);
    return [
      Date.now() - start,
      now.getTime() - start,
      Date().slice(0, 24) === now.toString().slice(0, 24),
      new Date(5).getTime(),
      Date.UTC(1970, 0, 2),
      Date.parse("1970-01-01T00:00:01Z"),
      new (class Later extends Date {})(7).getTime(),
    ];
  };
  assertEquals(await result(workflow, { host }), [3_600_000, 3_600_000, true, 5, 86_400_000, 1000, 7]);
});

Deno.test("patchGlobals makes Math.random() the same on replay", async () => {
  const workflow = async () => {
    const first = Math.random();
    await sleep(1);
    return [first, Math.random()];
  };
  const [first, second] = await result(workflow, { host }) as number[];
  assertEquals([first === second, first >= 0 && first < 1], [false, true]);
});

Deno.test("patchGlobals makes setTimeout() a timer of the workflow, and clearTimeout() drops it", async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    const id = setTimeout(() => seen.push("cleared"), 50);
    const fired = new Promise<void>((resolve) =>
      setTimeout(
        (text: string) => {
          seen.push(text, inWorkflowContext());
          resolve();
        },
        100,
        "fired",
      )
    );
    clearTimeout(id);
    await fired;
    return [seen, Date.now() - workflowInfo().runStartTime.getTime()];
  };
  assertEquals(await result(workflow, { host }), [["fired", true], 100]);
});

Deno.test("patchGlobals: a callback of setTimeout() that throws fails the workflow", async () => {
  const workflow = async () => {
    setTimeout(() => {
      throw new Error("bad callback");
    }, 5);
    await sleep("1 day");
  };
  assertEquals((await failure(workflow, { host })).message, "bad callback");
});

Deno.test("patchGlobals leaves activities and the code outside alone, and dispose() puts everything back", async () => {
  const natives = [Date, setTimeout, clearTimeout, Math.random];
  const { act } = proxyActivities<{ act(): Promise<boolean[]> }>({ startToCloseTimeout: "1 minute" });
  const activities = {
    async act() {
      const before = Date.now();
      await new Promise<void>((resolve) => setTimeout(resolve, 2)); // of the runtime: virtual time stands still
      return [inWorkflowContext(), Date.now() > before];
    },
  };
  assertEquals(await result(() => act(), { host, activities }), [false, true]);
  const [first, second] = [1, 2].map(() => new TemporalHost({ workflows: {}, patchGlobals: true }));
  first.dispose();
  first.dispose();
  assertEquals(Date === natives[0], false);
  second[Symbol.dispose]();
  assertEquals([Date, setTimeout, clearTimeout, Math.random], natives);
});

Deno.test('patchGlobals "report" names each line of workflow code that reads a global, once', async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) seen.push(Date.now());
    seen.push(new Date(), new Date(5), Math.random());
    await sleep(1);
    return seen.length;
  };
  const lines: string[] = [];
  const executor = { logger: { debug() {}, info() {}, warn: (line: string) => void lines.push(line), error() {} } };
  assertEquals(await result(workflow, { host: { patchGlobals: "report" }, executor }), 6);
  const parts = lines.map((line) =>
    /reads (\S+) of the runtime, which no replay repeats: at .*globals_test\.ts:\d+/.exec(line)?.[1]
  );
  assertEquals(parts, ["Date.now", "Date", "Math.random"]);
});

Deno.test("patchGlobals of a host does not change the globals of other hosts", async () => {
  using _patched = new TemporalHost({ workflows: {}, patchGlobals: true });
  let now = 0;
  const workflow = () => Promise.resolve(void (now = Date.now()));
  await result(workflow);
  assertEquals(now > 1e12, true);
});

Deno.test("patchGlobals: setTimeout() takes 1 ms at least, as in Temporal", async () => {
  const { state } = await run(() => new Promise((resolve) => void setTimeout(resolve, 0)), { host });
  assertEquals(state.updatedAt - state.createdAt, 1);
});

Deno.test("patchGlobals: clearTimeout() of what is no timer of the workflow does nothing", async () => {
  const workflow = async () => {
    clearTimeout(7);
    clearTimeout(undefined);
    const id = setTimeout(() => {}, 5);
    await sleep(10);
    clearTimeout(id); // it has fired
    return "done";
  };
  assertEquals(await result(workflow, { host }), "done");
});
