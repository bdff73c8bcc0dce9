import { assertEquals } from "@std/assert";
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  sleep,
  startChild,
} from "./mod.ts";
import { result, run } from "../tests/temporal/run.ts";

async function waits(): Promise<string> {
  let text = "";
  setHandler(defineSignal<[string]>("go"), (given) => void (text = given));
  await condition(() => text !== "");
  return text;
}
const naps = () => sleep("1 day");
const others = { waits, naps };

Deno.test("getExternalWorkflowHandle() signals and cancels another workflow once", async () => {
  const workflow = async () => {
    const first = await startChild(waits, { workflowId: "first" });
    const second = await startChild(naps, { workflowId: "second" });
    await getExternalWorkflowHandle("first").signal("go", "hello");
    await getExternalWorkflowHandle("second").cancel();
    return [await first.result(), await second.result().catch(isCancellation)];
  };
  const { result, states } = await run(workflow, { others });
  const signals = states.flatMap(({ history }) => history).filter(({ type }) => type === "signal_received");
  assertEquals([result, signals.length], [["hello", true], 1]);
});

Deno.test("ExternalWorkflowHandle rejects if there is no such workflow", async () => {
  const workflow = async () => {
    const other = getExternalWorkflowHandle("nobody");
    const errors = [other.signal("go"), other.cancel()].map((sent) => sent.catch((error) => error));
    return (await Promise.all(errors)).map((error) => [error instanceof ApplicationFailure, error.message]);
  };
  assertEquals(await result(workflow), [
    [true, "Unable to signal external workflow because it was not found"],
    [true, "Unable to cancel external workflow because it was not found"],
  ]);
});

Deno.test("ExternalWorkflowHandle sends nothing in a cancelled scope", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    const error = await getExternalWorkflowHandle("nobody").signal("go").catch((error) => error);
    return error instanceof CancelledFailure;
  };
  assertEquals(await result(workflow), true);
});
