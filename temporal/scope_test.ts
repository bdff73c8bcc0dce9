import { CanceledError } from "@rockpool/workflow";
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { cancellationSignal } from "./activity/mod.ts";
import {
  ActivityFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  currentUpdateInfo,
  defineUpdate,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  Trigger,
} from "./mod.ts";
import { currentFrame } from "./scope.ts";
import { collectGarbage, gate, settle } from "../tests/support/executors.ts";
import { failure, once, result, run, untilCancelled } from "../tests/temporal/run.ts";

const { hang, act } = proxyActivities<{ hang(): Promise<never>; act(): Promise<string> }>({
  startToCloseTimeout: "1 hour",
});
const activities = { hang: () => untilCancelled(cancellationSignal()), act: () => "done" };

const caught = (promise: PromiseLike<unknown>) => Promise.resolve(promise).then(String, String);

Deno.test("CancellationScope.withTimeout() cancels what is in it when the time is over", async () => {
  const workflow = () => caught(CancellationScope.withTimeout("1 hour", () => sleep("1 day")));
  assertEquals(await result(workflow), "CancelledFailure: Cancellation scope cancelled");
});

Deno.test("CancellationScope.withTimeout() returns what is in time, and drops its timer", async () => {
  const { result, state } = await run(() => CancellationScope.withTimeout("1 hour", () => act()), { activities });
  assertEquals([result, state.updatedAt - state.createdAt], ["done", 0]);
});

Deno.test("CancellationScope.cancel() rejects timers, conditions and triggers of the scope", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const waits = await scope.run(async () => {
      const waits = [sleep("1 day"), condition(() => false), condition(() => false, "1 day"), new Trigger()].map(
        caught,
      );
      await sleep(1);
      return waits;
    });
    scope.cancel();
    return await Promise.all(waits);
  };
  assertEquals(await result(workflow), new Array(4).fill("CancelledFailure: Cancellation scope cancelled"));
});

Deno.test("CancellationScope.cancel() cancels an activity, whose failure says so", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const call = scope.run(() => hang());
    await act(); // virtual time stands still while an activity runs
    scope.cancel();
    const error = await call.catch((error) => error);
    return [error instanceof ActivityFailure, error.message, `${error.cause}`, isCancellation(error)];
  };
  assertEquals(await result(workflow, { activities, compare: "outcomes" }), [
    true,
    "Activity cancelled",
    "CancelledFailure: CANCELLED",
    true,
  ]);
});

Deno.test("CancellationScope.cancel() reaches nested scopes, and not those that are not cancellable", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const waits: Promise<unknown>[] = [];
    await scope.run(async () => {
      waits.push(caught(CancellationScope.cancellable(() => sleep(10))));
      waits.push(CancellationScope.nonCancellable(() => sleep(10)).then(() => "slept"));
      waits.push(
        CancellationScope.nonCancellable(() => CancellationScope.cancellable(() => sleep(10))).then(() => "slept"),
      );
      await sleep(1);
    });
    scope.cancel();
    return await Promise.all(waits);
  };
  assertEquals(await result(workflow), ["CancelledFailure: Cancellation scope cancelled", "slept", "slept"]);
});

Deno.test("CancellationScope goes on with work that its function has not awaited", async () => {
  const workflow = async () => {
    let call: Promise<string> | undefined;
    await CancellationScope.cancellable(async () => {
      call = sleep(10).then(() => act());
      await sleep(1);
    });
    return await call;
  };
  assertEquals(await result(workflow, { activities }), "done");
});

Deno.test("CancellationScope can be cancelled before and after its function runs", async () => {
  const workflow = async () => {
    const before = new CancellationScope();
    before.cancel();
    const after = new CancellationScope();
    let late: Promise<unknown> | undefined;
    await after.run(async () => {
      late = caught(sleep("1 day"));
      await sleep(1);
    });
    after.cancel();
    return [
      await caught(before.run(() => sleep(1))),
      await late,
      before.consideredCancelled,
      after.consideredCancelled,
    ];
  };
  const reason = "CancelledFailure: Cancellation scope cancelled";
  assertEquals(await result(workflow), [reason, reason, true, true]);
});

Deno.test("CancellationScope.cancelRequested rejects, also in a scope that is not cancellable", async () => {
  const workflow = async () => {
    const scope = new CancellationScope({ cancellable: false });
    const requested = caught(scope.cancelRequested);
    scope.cancel();
    return [await requested, await caught(scope.cancelRequested), scope.consideredCancelled];
  };
  const reason = "CancelledFailure: Cancellation scope cancelled";
  assertEquals(await result(workflow), [reason, reason, false]);
});

Deno.test("CancellationScope.current() is the scope that the code runs in, also after a wait", async () => {
  const workflow = async () => {
    const root = CancellationScope.current();
    const scope = new CancellationScope();
    const inside = await scope.run(async () => {
      await sleep(1);
      return CancellationScope.current() === scope;
    });
    return [inside, CancellationScope.current() === root, scope.parent === root, root.parent === undefined];
  };
  assertEquals(await result(workflow), [true, true, true, true]);
});

Deno.test("CancellationScope: a cancellation of the workflow reaches the outermost scope", async () => {
  const workflow = async () => {
    try {
      await sleep("1 day");
    } catch (error) {
      await CancellationScope.nonCancellable(() => act());
      throw error;
    }
  };
  const { error, state, calls } = await run(workflow, { activities, cancel: { atMs: 5, reason: "enough" } });
  assertEquals([`${error}`, state.status, calls.map(({ name }) => name)], [
    'CanceledError: Canceled workflow "crash-test": enough',
    "canceled",
    ["act"],
  ]);
});

Deno.test("CancellationScope: a workflow that catches its cancellation completes", async () => {
  const workflow = () => caught(sleep("1 day"));
  assertEquals(await result(workflow, { cancel: { atMs: 5 } }), "CancelledFailure: Workflow cancelled");
});

Deno.test("CancellationScope: a cancellation of the workflow reaches an activity that runs", async () => {
  await once(() => caught(hang()), { activities }, async (handle) => {
    await handle.cancel();
    assertEquals(await handle.result(), "ActivityFailure: Activity cancelled");
  });
});

Deno.test("CancellationScope: a cancellation that leaves a workflow that was not cancelled fails it", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    await sleep(1);
  };
  const { error, state } = await run(workflow);
  assertInstanceOf(error, Error);
  assertEquals([error.name, state.status], ["CancelledFailure", "failed"]);
});

Deno.test("CancellationScope: a loop that swallows cancellations is given up", async () => {
  const workflow = async () => {
    for (;;) await sleep("1 day").catch(() => {});
  };
  await once(workflow, {}, async (handle) => {
    await handle.cancel();
    await assertRejects(() => handle.result(), CanceledError);
  });
});

Deno.test("CancellationScope: a workflow whose time is up ends at once, and its code does not go on", async () => {
  let cleanedUp = false;
  const workflow = async () => {
    try {
      await sleep("1 day");
    } finally {
      cleanedUp = true;
    }
  };
  const error = await failure(workflow, { timeoutMs: 5 });
  assertEquals([error.name, cleanedUp], ["TimeoutError", false]);
});

Deno.test("CancellationScope: a thousand scopes leave nothing open", async () => {
  const workflow = async () => {
    for (let i = 0; i < 1000; i++) await CancellationScope.cancellable(() => condition(() => true));
    await CancellationScope.cancellable(() => sleep(1));
    const open = currentFrame()!.run.openScopes.size;
    CancellationScope.current().cancel();
    return [open, await caught(sleep(1))];
  };
  assertEquals(await result(workflow), [0, "CancelledFailure: Cancellation scope cancelled"]);
});

Deno.test("CancelledFailure of a scope is the same for all of its waits", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const waits = scope.run(() => Promise.all([1, 2].map(() => sleep(10).catch((error) => error))));
    scope.cancel();
    const [one, other] = await waits;
    return one === other && one instanceof CancelledFailure;
  };
  assertEquals(await result(workflow), true);
});

Deno.test("CancellationScope.nonCancellable() lets scopes in it wait after a scope around it was cancelled", async () => {
  const workflow = async () => {
    CancellationScope.current().cancel();
    return await CancellationScope.nonCancellable(async () => {
      await CancellationScope.cancellable(() => sleep(1));
      return [await CancellationScope.cancellable(() => act()), CancellationScope.current().consideredCancelled];
    });
  };
  assertEquals(await result(workflow, { activities }), ["done", false]);
});

Deno.test("CancellationScope.withTimeout() with 0 has no timeout, as in Temporal", async () => {
  const workflow = () => caught(CancellationScope.withTimeout(0, () => sleep("1 hour").then(() => "slept")));
  assertEquals(await result(workflow), "slept");
});

Deno.test("CancellationScope.cancel() keeps its first reason", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    scope.cancel();
    const first = await scope.cancelRequested.catch((error) => error);
    scope.cancel();
    return await scope.run(() => sleep(1)).catch((error) => error) === first;
  };
  assertEquals(await result(workflow), true);
});

Deno.test("CancellationScopeOptions.parent is the scope whose cancellation reaches the new one", async () => {
  const workflow = async () => {
    const [around, beside] = [new CancellationScope(), new CancellationScope()];
    const inner = await beside.run(() => Promise.resolve(new CancellationScope({ cancellable: true, parent: around })));
    const waits = caught(inner.run(() => sleep("1 day")));
    beside.cancel();
    const early = inner.consideredCancelled;
    around.cancel();
    return [early, inner.parent === around, await waits];
  };
  assertEquals(await result(workflow), [false, true, "CancelledFailure: Cancellation scope cancelled"]);
});

Deno.test("CancellationScope: handlers keep their update in a scope", async () => {
  const workflow = async () => {
    let seen: unknown;
    setHandler(defineUpdate<void>("look"), () =>
      CancellationScope.cancellable(async () => {
        await sleep(1);
        seen = currentUpdateInfo()?.name;
      }));
    await condition(() => seen !== undefined);
    return seen;
  };
  assertEquals(await result(workflow, { updates: [{ atMs: 5, name: "look", input: [] }] }), "look");
});

Deno.test("CancellationScope.withTimeout(): its time does not cancel what goes on after its function has returned", async () => {
  const workflow = async () => {
    let late: Promise<string> | undefined;
    await CancellationScope.withTimeout("1 hour", async () => {
      late = sleep("1 day").then(() => "slept");
      await sleep(1);
    });
    return await caught(late!);
  };
  assertEquals(await result(workflow), "slept");
});

Deno.test("CancellationScope.cancel() does nothing when the workflow has ended", async () => {
  let scope: CancellationScope | undefined;
  const workflow = () => {
    scope = new CancellationScope();
    return Promise.resolve("done");
  };
  await once(workflow, {}, async (handle) => {
    assertEquals(await handle.result(), "done");
    scope!.cancel();
    assertEquals(scope!.consideredCancelled, false);
  });
});

Deno.test("CancellationScope.cancelRequested rejects after the function of the scope has returned", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    const requested = caught(scope.cancelRequested);
    await scope.run(() => sleep(1));
    CancellationScope.current().cancel();
    return await Promise.race([requested, CancellationScope.nonCancellable(() => sleep(1))]);
  };
  assertEquals(await result(workflow), "CancelledFailure: Cancellation scope cancelled");
});

Deno.test("CancellationScope.cancel() reaches a scope that outlives the one around it", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    let late: Promise<unknown> | undefined;
    await scope.run(() =>
      CancellationScope.cancellable(async () => {
        late = caught(CancellationScope.cancellable(() => sleep("1 day")));
        await sleep(1);
      })
    );
    scope.cancel();
    return await late;
  };
  assertEquals(await result(workflow), "CancelledFailure: Cancellation scope cancelled");
});

Deno.test("CancellationScope that has ended is not kept by the one around it", async () => {
  const ended = gate<WeakRef<CancellationScope>>();
  const workflow = async () => {
    const scope = new WeakRef(new CancellationScope());
    await scope.deref()!.run(() => sleep(1));
    ended.open(scope);
    await sleep("1 day");
  };
  await once(workflow, {}, async () => {
    const scope = await ended.promise;
    await settle();
    collectGarbage();
    assertEquals(scope.deref(), undefined);
  });
});

Deno.test("CancellationScope.cancel() reaches a scope after another one in it has ended", async () => {
  const workflow = async () => {
    const scope = new CancellationScope();
    let open: Promise<unknown> | undefined;
    const around = scope.run(() =>
      CancellationScope.cancellable(async () => {
        open = caught(sleep("1 day"));
        await CancellationScope.cancellable(() => sleep(1));
      })
    );
    await around;
    scope.cancel();
    return await open;
  };
  assertEquals(await result(workflow), "CancelledFailure: Cancellation scope cancelled");
});

Deno.test("CancellationScope.cancel() does not reject a trigger of a scope in it that is not cancellable", async () => {
  const inObject = () => Promise.resolve({ trigger: new Trigger<string>() }); // a trigger is a promise
  const workflow = async () => {
    const scope = new CancellationScope();
    const { trigger } = await scope.run(() => CancellationScope.nonCancellable(inObject));
    scope.cancel();
    trigger.resolve("settled");
    return await trigger;
  };
  assertEquals(await result(workflow), "settled");
});
