import { assertEquals, assertThrows } from "@std/assert";
import { CancellationScope, condition, IllegalStateError, sleep, Trigger } from "./mod.ts";
import { currentFrame } from "./scope.ts";
import { failure, result, run } from "../tests/temporal/run.ts";

Deno.test("sleep() takes milliseconds and texts, and at least one millisecond", async () => {
  const workflow = async () => {
    await sleep("1 hour");
    await sleep(500);
    await sleep(-5);
  };
  const { state } = await run(workflow);
  assertEquals(state.updatedAt - state.createdAt, 3_600_501);
});

Deno.test("sleep() refuses what is no duration, and calls outside of a workflow", async () => {
  assertThrows(() => sleep(1), IllegalStateError, "Cannot sleep: the code runs outside of a workflow");
  const error = await failure(async () => await sleep("soon" as never), { expectFailure: true });
  assertEquals(error.message.slice(0, 18), 'Cannot read "ms": ');
});

Deno.test("condition() waits until its function returns true", async () => {
  const workflow = async () => {
    let done = false;
    const waiting = condition(() => done);
    await sleep(1);
    done = true;
    return [await waiting, await condition(() => true)].map((value) => value === undefined);
  };
  assertEquals(await result(workflow), [true, true]);
});

Deno.test("condition() returns false when its time is over, and true before", async () => {
  const workflow = async () => {
    let done = false;
    const [first, second] = [condition(() => done, "1 minute"), condition(() => done, 10)];
    await sleep(1000);
    done = true;
    return [await first, await second, await condition(() => true, 0), await condition(() => false, 0)];
  };
  const { result, state } = await run(workflow);
  assertEquals([result, state.updatedAt - state.createdAt], [[true, false, true, false], 1000]);
});

Deno.test("condition() rejects with what its function throws", async () => {
  const workflow = () =>
    condition(() => {
      throw new RangeError("bad");
    });
  assertEquals((await failure(workflow)).message, "bad");
});

Deno.test("condition() calls its function in the scope in which it waits", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    let inScope: boolean | undefined;
    await scope.run(() => condition(() => (inScope = CancellationScope.current() === scope), 5));
    return inScope;
  };
  assertEquals(await result(workflow), true);
});

Deno.test("Trigger is settled by the workflow, and can be awaited more than once", async () => {
  const workflow = async () => {
    const [resolved, rejected] = [new Trigger<number>(), new Trigger<number>()];
    const values = [resolved, resolved, rejected.then(undefined, (error) => error)];
    await sleep(1);
    resolved.resolve(7);
    rejected.reject("no");
    return await Promise.all(values);
  };
  assertEquals(await result(workflow), [7, 7, "no"]);
});

Deno.test("condition() with a negative timeout looks once", async () => {
  const workflow = async () => [await condition(() => false, -5), await condition(() => true, "-1 second")];
  assertEquals(await result(workflow), [false, true]);
});

Deno.test("condition() refuses a function that returns a promise", async () => {
  const error = await failure(() => condition((() => Promise.resolve(true)) as never), { expectFailure: true });
  assertEquals(error.message, 'Cannot wait for a condition: "fn" returned a promise');
});

Deno.test("Trigger rejects if its scope is cancelled already", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    return await new Trigger().then(() => "", String);
  };
  assertEquals(await result(workflow), "CancelledFailure: Cancellation scope cancelled");
});

Deno.test("Trigger that has settled leaves nothing open in its scope", async () => {
  const workflow = async () => {
    await CancellationScope.cancellable(async () => {
      const trigger = new Trigger<void>();
      trigger.resolve();
      await sleep(1);
    });
    return currentFrame()!.run.openScopes.size;
  };
  assertEquals(await result(workflow), 0);
});
