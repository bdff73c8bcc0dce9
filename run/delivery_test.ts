import { assertEquals } from "@std/assert";
import { type AppendBatch, InMemoryStore, type WorkflowContext, WorkflowError } from "@rockpool/workflow";
import { FaultyStore } from "@rockpool/workflow/testing";
import { gate } from "../tests/support/executors.ts";
import { completeOptions } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

const waits = (ctx: WorkflowContext) => ctx.waitForSignal("s");

/** Workflow "a", and a function that sends it signals with IDs through an executor that runs it or not. */
async function setUp(isLive: boolean) {
  const store = new FaultyStore(new InMemoryStore());
  const supervisor = new Supervisor(completeOptions({ store }, () => store), {} as never);
  const started = Object.freeze({ type: "workflow_started", at: 0, workflowName: "waits", input: undefined });
  if (isLive) await supervisor.start(waits, "a", started, undefined, {});
  else await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] });
  return {
    store,
    supervisor,
    send: (signalId: string) => {
      const event = { type: "signal_received", at: 0, name: "s", signalId } as const;
      return supervisor.delivery.post("signal", { id: "a" }, event, true);
    },
    storedIds: async () => {
      const { history } = (await store.inner.load("a"))!;
      return history.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
    },
  };
}

for (const isLive of [true, false]) {
  const where = isLive ? "whose run is live here" : "that another executor runs";

  Deno.test(`Delivery.post() stores a signal once when it is sent again before it is stored, to a workflow ${where}`, async () => {
    const { supervisor, store, send, storedIds } = await setUp(isLive);
    const held = gate();
    store.before.append = () => held.promise;
    const first = ["x", "y", "x"].map(send);
    await null;
    const all = Promise.all([...first, ...["x", "y", "z"].map(send)]);
    held.open();
    await all;
    assertEquals(await storedIds(), ["x", "y", "z"]);
    await supervisor.close(0);
  });

  Deno.test(`Delivery.post() rejects a signal that is sent again as it rejects the first, to a workflow ${where}`, async () => {
    const { supervisor, store, send, storedIds } = await setUp(isLive);
    store.before.append = () => Promise.reject(new WorkflowError("capacity_exceeded", "Full"));
    const sent = await Promise.allSettled(["x", "x"].map(send));
    assertEquals(sent.map((one) => one.status === "rejected" && one.reason.message), ["Full", "Full"]);
    assertEquals(await storedIds(), []);
    await supervisor.close(0);
  });
}

Deno.test("Delivery.post() sends a signal again that was refused before", async () => {
  const { supervisor, store, send, storedIds } = await setUp(false);
  let refusals = 0;
  store.before.append = (_batch: AppendBatch) => {
    if (++refusals === 1) throw new WorkflowError("capacity_exceeded", "Full");
  };
  await send("x").catch(() => {});
  await send("x");
  assertEquals(await storedIds(), ["x"]);
  await supervisor.close(0);
});
