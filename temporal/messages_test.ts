import { assertEquals, assertRejects } from "@std/assert";
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  currentUpdateInfo,
  defineQuery,
  defineSignal,
  defineUpdate,
  type HandlerUnfinishedPolicy,
  setCurrentDetails,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
  sleep,
} from "./mod.ts";
import { failure, once, result, run } from "../tests/temporal/run.ts";

const add = defineSignal<[number]>("add");
const total = defineQuery<number, [number]>("total");
const change = defineUpdate<string, [number]>("change");
const at = (atMs: number, value: unknown, name = "add") => ({ atMs, name, payload: [value] });

Deno.test("setHandler() handles signals in the order of their arrival, and none waits for another", async () => {
  const workflow = async () => {
    const seen: string[] = [];
    setHandler(add, async (n) => {
      seen.push(`begin ${n}`);
      await sleep(10);
      seen.push(`end ${n}`);
    });
    await condition(() => seen.length === 4);
    return seen;
  };
  assertEquals(await result(workflow, { signals: [at(1, 1), at(2, 2)] }), ["begin 1", "begin 2", "end 1", "end 2"]);
});

Deno.test("setHandler() handles signals that were sent with the start before it returns", async () => {
  const workflow = async () => {
    let sum = 0;
    setHandler(add, (n) => {
      sum += n;
    });
    const early = sum;
    await sleep(1);
    return early;
  };
  const signals = [{ name: "add", payload: [1] }, { name: "add", payload: [2] }];
  await once(workflow, { signals }, async (handle) => assertEquals(await handle.result(), 3));
});

Deno.test("setHandler() replaces a handler, and without one signals wait", async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    setHandler(add, (n) => void seen.push(n));
    await sleep(5);
    setHandler(add, (n) => void seen.push(`second ${n}`));
    await sleep(5);
    setHandler(add, undefined);
    await sleep(5);
    seen.push("nothing");
    setHandler(add, (n) => void seen.push(`third ${n}`));
    return seen;
  };
  const signals = [at(1, 1), at(6, 2), at(11, 3), at(12, 4)];
  assertEquals(await result(workflow, { signals }), [1, "second 2", "nothing", "third 3", "third 4"]);
});

Deno.test("setDefaultSignalHandler() handles the signals that have no handler, also those that have arrived", async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    setHandler(add, (n) => void seen.push(n));
    await sleep(5);
    setDefaultSignalHandler((name, ...args) => void seen.push([name, ...args]));
    await sleep(5);
    setDefaultSignalHandler(undefined);
    await sleep(5);
    return seen;
  };
  const signals = [at(1, 1, "early"), at(2, 2), at(6, 3, "other"), at(7, 4), at(11, 5, "late")];
  assertEquals(await result(workflow, { signals }), [2, ["early", 1], ["other", 3], 4]);
});

Deno.test("setHandler(): signals without a handler are carried into the next run", async () => {
  async function workflow(runs: number): Promise<number> {
    if (runs === 0) {
      await sleep(5);
      await continueAsNew<typeof workflow>(1);
    }
    let sum = 0;
    setHandler(add, (n) => void (sum += n));
    await condition(() => sum > 0);
    return sum;
  }
  assertEquals(await result(workflow, { args: [0], signals: [at(1, 7)] }), 7);
});

Deno.test("setHandler(): a signal handler that throws fails the workflow", async () => {
  const workflow = async () => {
    setHandler(add, () => {
      throw ApplicationFailure.nonRetryable("bad signal");
    });
    await sleep("1 day");
  };
  assertEquals((await failure(workflow, { signals: [at(1, 1)] })).message, "bad signal");
});

Deno.test("setHandler() answers queries with the variables of the workflow", async () => {
  const workflow = async () => {
    let sum = 1;
    setHandler(total, (n) => sum + n);
    await sleep(10);
    sum = 5;
    await sleep(10);
  };
  const check = (expected: number) => (answer: never) => assertEquals(answer, expected as never);
  const query = (atMs: number, expected: number) => ({ atMs, name: "total", args: [1], check: check(expected) });
  await run(workflow, { queries: [query(5, 2), query(15, 6)] });
});

Deno.test("setHandler(): a query whose handler was removed, or returns a promise, is refused", async () => {
  const workflow = async () => {
    setHandler(total, () => 1);
    setHandler(total, undefined);
    setHandler(defineQuery("slow"), () => Promise.resolve(1));
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    const message = "Workflow did not register a handler for total. Registered queries: [slow]";
    await assertRejects(() => handle.query("total", 1), ReferenceError, message);
    await assertRejects(() => handle.query("slow"), TypeError, "the handler returned a promise");
  });
});

Deno.test("setDefaultQueryHandler() and setDefaultUpdateHandler() answer under a name of their own", async () => {
  const workflow = async () => {
    setDefaultQueryHandler((name, ...args) => [name, ...args]);
    setDefaultUpdateHandler((name, ...args) => [name, ...args]);
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    assertEquals(await handle.query("__temporal_default_query", "other", 1), ["other", 1]);
    assertEquals(await handle.update("__temporal_default_update", ["other", 1]), ["other", 1]);
  });
});

const updates = [{ atMs: 5, name: "change", input: [7] }];

Deno.test("setHandler() handles updates, which may wait", async () => {
  const workflow = async () => {
    let changed = 0;
    setHandler(change, async (n) => {
      await sleep(10);
      changed = n;
      return `${currentUpdateInfo()?.name} ${n}`;
    });
    await condition(() => changed > 0);
    return [changed, currentUpdateInfo() === undefined];
  };
  const check = (answer: never) => assertEquals(answer, "change 7" as never);
  assertEquals(await result(workflow, { updates: [{ ...updates[0], check }] }), [7, true]);
});

Deno.test("setHandler(): a validator refuses an update, and the handler does not run", async () => {
  const workflow = async () => {
    let changed = 0;
    setHandler(change, (n) => `${changed = n}`, {
      validator(n: number) {
        if (n > 5) throw ApplicationFailure.nonRetryable("too much", "Limit");
      },
    });
    await sleep(50);
    return changed;
  };
  await once(workflow, {}, async (handle) => {
    const error = await assertRejects(() => handle.update("change", [7]), Error, "too much");
    assertEquals([error.name, await handle.update("change", [3]), await handle.result()], [
      "ApplicationFailure",
      "3",
      3,
    ]);
  });
});

Deno.test("setHandler(): an update handler that throws fails the update, and not the workflow", async () => {
  const workflow = async () => {
    setHandler(change, () => {
      throw ApplicationFailure.nonRetryable("cannot change");
    });
    await sleep(50);
    return "done";
  };
  await once(workflow, {}, async (handle) => {
    await assertRejects(() => handle.update("change", [7]), Error, "cannot change");
    assertEquals(await handle.result(), "done");
  });
});

Deno.test("setHandler(): handlers run in the scope of the workflow, wherever they are set", async () => {
  const workflow = async () => {
    const root = CancellationScope.current();
    let scope: CancellationScope | undefined;
    const set = () => setHandler(add, () => void (scope = CancellationScope.current()));
    await CancellationScope.nonCancellable(() => Promise.resolve(set()));
    await condition(() => scope !== undefined);
    return scope === root;
  };
  assertEquals(await result(workflow, { signals: [at(1, 1)] }), true);
});

Deno.test("allHandlersFinished() is false while a handler runs", async () => {
  const workflow = async () => {
    const seen: boolean[] = [];
    setHandler(add, async () => {
      seen.push(allHandlersFinished());
      await sleep(10);
    });
    await condition(() => seen.length === 1);
    await condition(allHandlersFinished);
    return [...seen, allHandlersFinished()];
  };
  assertEquals(await result(workflow, { signals: [at(1, 1)] }), [false, true]);
});

Deno.test("HandlerUnfinishedPolicy.ABANDON is silent about a handler that the end of the workflow cuts off", async () => {
  const workflow = (unfinishedPolicy: HandlerUnfinishedPolicy) => async () => {
    setHandler(add, () => sleep("1 day"), { unfinishedPolicy });
    await sleep(10);
  };
  const lines: string[] = [];
  const warn = (message: string) => void lines.push(message);
  const executor = { logger: { debug() {}, info() {}, warn, error() {} } };
  await run(workflow("ABANDON"), { signals: [at(1, 1)], executor });
  assertEquals(lines, []);
  await run(workflow("WARN_AND_ABANDON"), { signals: [at(1, 1)], executor });
  const line =
    'Workflow finished while a handler of signal "add" was running; wait for condition(allHandlersFinished) before it returns';
  assertEquals([...new Set(lines)], [line]);
});

Deno.test("__temporal_workflow_metadata answers what the workflow handles", async () => {
  const workflow = async () => {
    setHandler(total, () => 1, { description: "the total" });
    setHandler(add, () => {});
    setCurrentDetails("half done");
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    const { definition, currentDetails } = await handle.query("__temporal_workflow_metadata") as never;
    assertEquals(definition, {
      type: "workflow",
      queryDefinitions: [{ name: "total", description: "the total" }],
      signalDefinitions: [{ name: "add" }],
      updateDefinitions: [],
    });
    assertEquals(currentDetails, "half done");
  });
});

Deno.test("setDefaultSignalHandler() replaces the handler, and undefined removes it", async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    setDefaultSignalHandler((name, n) => void seen.push(`first ${name} ${n}`));
    setDefaultSignalHandler((name, n) => void seen.push(`second ${name} ${n}`));
    await condition(() => seen.length > 0);
    setDefaultSignalHandler(undefined);
    await sleep(100);
    return seen;
  };
  const signals = [at(10, 1, "other"), at(20, 2, "other")];
  assertEquals(await result(workflow, { signals }), ["second other 1"]);
});

Deno.test("allHandlersFinished() is false while the handler of an update runs", async () => {
  const workflow = async () => {
    setHandler(change, async () => {
      await sleep(10);
      return "changed";
    });
    await sleep(7);
    const finished = allHandlersFinished();
    await condition(allHandlersFinished);
    return finished;
  };
  assertEquals(await result(workflow, { updates: [{ atMs: 5, name: "change", input: [1] }] }), false);
});

async function withRemovedHandler(): Promise<void> {
  setHandler(change, () => "changed");
  setHandler(change, undefined);
  await sleep("1 day");
}

Deno.test("setHandler(): an update whose handler was removed is refused", async () => {
  await once(withRemovedHandler, {}, async (_, executor) => {
    await assertRejects(
      () => executor.update("once", "change", [1]),
      Error,
      "No registered handler for update: change",
    );
  });
});

Deno.test("setDefaultSignalHandler(undefined): signals wait again, for a handler that is set later", async () => {
  const workflow = async () => {
    const seen: unknown[] = [];
    setDefaultSignalHandler((name, ...args) => void seen.push([name, ...args]));
    await sleep(5);
    setDefaultSignalHandler(undefined);
    await sleep(5);
    setHandler(add, (n) => void seen.push(n));
    return seen;
  };
  assertEquals(await result(workflow, { signals: [at(1, 1), at(6, 2)] }), [["add", 1], 2]);
});

Deno.test("setHandler(): an update whose handler was removed leaves nothing in the history", async () => {
  await once(withRemovedHandler, {}, async (handle, executor) => {
    await assertRejects(() => executor.update("once", "change", [1]), Error, "No registered handler");
    const { history } = await handle.describe({ history: true });
    assertEquals(history.some(({ type }) => type.startsWith("update_")), false);
  });
});

Deno.test("setDefaultQueryHandler() and setDefaultUpdateHandler() with undefined remove the handler", async () => {
  const workflow = async () => {
    setDefaultQueryHandler(() => 1);
    setDefaultQueryHandler(undefined);
    setDefaultUpdateHandler(() => 1);
    setDefaultUpdateHandler(undefined);
    await sleep("1 day");
  };
  await once(workflow, {}, async (handle) => {
    const query = handle.query("__temporal_default_query", "other");
    await assertRejects(() => query, ReferenceError, "Workflow did not register a handler for other");
    const update = handle.update("__temporal_default_update", ["other"]);
    await assertRejects(() => update, Error, "No registered handler for update");
  });
});
