/** `InMemoryStore.watch()`: the changes of a store as an async iterable. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type StoreChange,
  type StoreWatch,
  VirtualClock,
  type WatchOptions,
  type WorkflowContext,
} from "@rockpool/workflow";
import { seeded } from "@rockpool/workflow/testing";
import { gate, settle } from "../support/executors.ts";

const save = (store: InMemoryStore, workflowId: string, input?: unknown) =>
  store.save({ workflowId, status: "running", input });

/** A change on one line: the ID, the stored input, and the number of skipped changes. */
const line = ({ workflowId, state, skipped }: StoreChange) =>
  `${workflowId}${state === null ? " gone" : ` ${state.input}`}${skipped ? ` +${skipped}` : ""}`;

/** Reads that wait. */
const begun = new WeakMap<StoreWatch, ReturnType<StoreWatch["next"]>>();

/** Reads until the watch ends or has to wait. */
async function readAll(watch: StoreWatch): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const next = begun.get(watch) ?? watch.next();
    begun.set(watch, next);
    const result = await Promise.race([next, settle()]);
    if (result === undefined) return lines;
    begun.delete(watch);
    if (result.done) return lines;
    lines.push(line(result.value));
  }
}

Deno.test("InMemoryStore.watch() hands out every later change, in order", async () => {
  const store = new InMemoryStore();
  await save(store, "a", 0);
  const watch = store.watch();
  await save(store, "a", 1);
  await save(store, "b", 2);
  await store.delete("a");
  await save(store, "c", 3);
  assertEquals(await readAll(watch), ["a gone +1", "b 2", "c 3"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() hands out each change when the reader keeps up", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  const read: string[] = [];
  for (let i = 0; i < 5; i++) {
    const next = watch.next();
    await save(store, "a", i);
    read.push(line((await next).value!));
  }
  assertEquals(read, ["a 0", "a 1", "a 2", "a 3", "a 4"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() gives a slow reader the newest state and the number of skipped changes", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  for (let i = 0; i < 1000; i++) await save(store, `w${i % 2}`, i);
  assertEquals(await readAll(watch), ["w0 998 +499", "w1 999 +499"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() does not let a workflow that changes often delay another one", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  const read: string[] = [];
  for (let i = 0; i < 6; i++) {
    await save(store, "a", i);
    await save(store, "b", i);
    read.push((await watch.next()).value!.workflowId);
  }
  assertEquals(read, ["a", "b", "a", "b", "a", "b"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() hands out only the changes of one workflow when it has an ID", async () => {
  const store = new InMemoryStore();
  const [one, other, all] = [store.watch({ id: "a" }), store.watch({ id: "b" }), store.watch()];
  await save(store, "a", 1);
  await save(store, "b", 2);
  assertEquals(await Promise.all([one, other, all].map(readAll)), [["a 1"], ["b 2"], ["a 1", "b 2"]]);
  store.closeWatches();
});

Deno.test("InMemoryStore.watch() hands out appends, updates, evictions and expiries, and no failed writes", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock, finishedTtlMs: 100, maxWorkflows: 2, whenFull: "evict" });
  const watch = store.watch();
  const started = { type: "workflow_started", at: 0, workflowName: "w", input: 1 } as const;
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] });
  assertEquals(await readAll(watch), ["a 1"]);
  await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [started] }).catch(() => {});
  await store.save({ workflowId: "", status: "running" }).catch(() => {});
  await store.delete("nobody");
  await store.update("a", () => null);
  assertEquals(await readAll(watch), []);
  await store.update("a", (state) => ({ ...state!, input: 2 }));
  await store.save({ workflowId: "b", status: "completed" });
  await save(store, "c", 3);
  assertEquals(await readAll(watch), ["a 2", "b gone +1", "c 3"]);
  await store.save({ workflowId: "c", status: "failed" });
  clock.advance(100);
  assertEquals(store.size, 1);
  assertEquals(await readAll(watch), ["c undefined", "c gone"]); // a reader was waiting
  watch.close();
});

Deno.test("InMemoryStore.watch() ends with break, and is removed from the store", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  await save(store, "a", 1);
  for await (const change of watch) {
    assertEquals(line(change), "a 1");
    break;
  }
  await save(store, "a", 2);
  assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("InMemoryStore.watch() ends at once when its signal aborts, also while it waits", async () => {
  const store = new InMemoryStore();
  const controller = new AbortController();
  const waiting = store.watch({ signal: controller.signal });
  const busy = store.watch({ signal: controller.signal });
  const next = waiting.next();
  queueMicrotask(() => controller.abort(new Error("enough")));
  assertEquals(await next, { done: true, value: undefined });
  await save(store, "a", 1);
  assertEquals(await readAll(busy), []);
  assertEquals(await readAll(store.watch({ signal: controller.signal })), []);
});

Deno.test("InMemoryStore.watch() removes its listener from the signal when it ends", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    removeEventListener.apply(signal, args as never);
  };
  const store = new InMemoryStore();
  for (let i = 0; i < 3; i++) {
    const watch = store.watch({ signal });
    await (i === 0 ? watch.return() : i === 1 ? watch.close() : store.closeWatches());
  }
  assertEquals(listeners, 0);
});

Deno.test("InMemoryStore.watch() adds one listener to a signal, however many watches share it", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, args as never);
  };
  const stores = [new InMemoryStore(), new InMemoryStore()];
  const watches = Array.from({ length: 1000 }, (_, i) => stores[i % 2].watch({ signal }));
  assertEquals(listeners, 1);
  controller.abort();
  for (const watch of watches) assertEquals(await watch.next(), { done: true, value: undefined });
});

Deno.test("StoreWatch.close() lets earlier changes be read", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  await save(store, "a", 1);
  watch.close();
  watch.close();
  await save(store, "b", 2);
  const lines: string[] = [];
  for await (const change of watch) lines.push(line(change));
  assertEquals(lines, ["a 1"]);
});

Deno.test("StoreWatch.close() ends reads that wait", async () => {
  const watch = new InMemoryStore().watch();
  const waiting = [watch.next(), watch.next()];
  watch.close();
  assertEquals((await Promise.all(waiting)).map(({ done }) => done), [true, true]);
});

Deno.test("InMemoryStore.closeWatches() ends every watch, and the store can still be used", async () => {
  const store = new InMemoryStore();
  const watches = [store.watch(), store.watch({ id: "a" })];
  await save(store, "a", 1);
  store.closeWatches();
  await save(store, "a", 2);
  assertEquals(await Promise.all(watches.map(readAll)), [["a 2"], ["a 2"]]);
  const later = store.watch();
  await save(store, "a", 3);
  assertEquals(await readAll(later), ["a 3"]);
  later.close();
});

Deno.test("StoreWatch.next() serves waiting reads in order", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  const reads = [watch.next(), watch.next(), watch.next()];
  await Promise.all(["a", "b", "c"].map((id, i) => save(store, id, i)));
  assertEquals((await Promise.all(reads)).map(({ value }) => line(value!)), ["a 0", "b 1", "c 2"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() reads no state during a write", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  const next = watch.next();
  let handedOut = false;
  next.then(() => handedOut = true);
  const saved = store.save({ workflowId: "a", status: "running", input: 1 });
  const again = store.save({ workflowId: "a", status: "running", input: 2 }); // without a microtask in between
  assertEquals(handedOut, false);
  await Promise.all([saved, again]);
  assertEquals(line((await next).value!), "a 2 +1");
  watch.close();
});

Deno.test("InMemoryStore.watch() hands out the state before an update in progress", async () => {
  const store = new InMemoryStore();
  await save(store, "a", 1);
  const watch = store.watch();
  await save(store, "a", 2);
  const held = gate();
  const updated = store.update("a", (state) => held.promise.then(() => ({ ...state!, input: 3 })));
  assertEquals(await readAll(watch), ["a 2"]);
  held.open();
  await updated;
  assertEquals(await readAll(watch), ["a 3"]);
  watch.close();
});

Deno.test("InMemoryStore.watch() hands out states that nobody can change", async () => {
  const store = new InMemoryStore();
  const watch = store.watch();
  await save(store, "a", { when: new Date(5) });
  const { value } = await watch.next();
  (value!.state!.input as { when: Date }).when.setTime(9);
  assert(Object.isFrozen(value!.state));
  assertEquals((await store.load("a"))?.input, { when: new Date(5) });
  watch.close();
});

Deno.test("InMemoryStore.watch() misses and repeats no change, over 20,000 random steps", async () => {
  const random = seeded(11);
  const below = (n: number) => Math.floor(random() * n);
  const store = new InMemoryStore();
  const versions = new Map<string, number>(); // the number of changes of each
  const watches = [undefined, "w1", "w2"].map((workflowId) => ({
    workflowId,
    watch: store.watch({ id: workflowId }),
    seen: new Map<string, number>(),
  }));
  const read = async ({ watch, seen }: typeof watches[number]) => {
    const { value } = await watch.next();
    const { workflowId, state, skipped } = value!;
    seen.set(workflowId, (seen.get(workflowId) ?? 0) + 1 + skipped);
    assertEquals(seen.get(workflowId), versions.get(workflowId));
    assertEquals(state?.input ?? null, (await store.load(workflowId))?.input ?? null);
  };
  const behind = ({ workflowId, seen }: typeof watches[number]) =>
    [...versions].some(([id, version]) =>
      (workflowId === undefined || id === workflowId) && (seen.get(id) ?? 0) < version
    );
  for (let step = 0; step < 20_000; step++) {
    const id = `w${below(5)}`;
    const stored = await store.load(id);
    if (below(3) > 0) {
      const change = below(4) > 0 ? save(store, id, step) : stored ? store.delete(id) : undefined;
      if (change) versions.set(id, (versions.get(id) ?? 0) + 1);
      await change;
    } else {
      const one = watches[below(3)];
      if (behind(one)) await read(one);
    }
  }
  for (const one of watches) {
    while (behind(one)) await read(one);
    one.watch.close();
    assertEquals((await one.watch.next()).done, true);
  }
});

async function greet(ctx: WorkflowContext) {
  await ctx.sleep(1000);
  return "hello";
}

Deno.test("InMemoryStore.watch() follows a run of an executor to its end", async () => {
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  const watch = store.watch({ id: "a" });
  await using executor = new Executor({ store, clock });
  await executor.execute(greet, { id: "a" });
  let events = 0;
  for await (const { state, skipped } of watch) {
    events += 1 + skipped;
    if (state?.status !== "running") break;
  }
  assertEquals(events, (await store.load("a"))?.history.length);
});

const malformed: [options: unknown, message: string][] = [
  [null, `Cannot watch: "options" must be an object, got null`],
  [{ id: "" }, `Cannot watch: "id" must be a non-empty string, got ""`],
  [{ id: 1 }, `Cannot watch: "id" must be a non-empty string, got 1`],
  [{ workflowId: "a" }, `Cannot watch: "options" has no option "workflowId"; the options are "id", "signal"`],
  [{ signal: {} }, `Cannot watch: "signal" must be an AbortSignal, got an Object`],
];
for (const [options, message] of malformed) {
  Deno.test(`InMemoryStore.watch() throws "${message}"`, () => {
    assertThrows(() => new InMemoryStore().watch(options as WatchOptions), TypeError, message);
  });
}
