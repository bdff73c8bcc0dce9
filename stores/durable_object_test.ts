/** `DurableObjectStore`: the contract on `node:sqlite`. In workerd: `tests/durable_object/`. */

import type { WorkflowStore } from "@rockpool/workflow";
import { DurableObjectStore, type ObjectStorage } from "@rockpool/workflow/durable-object";
import { testStore } from "@rockpool/workflow/testing";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { objectStorage } from "../tests/support/object_storage.ts";
import { answer, type Calls } from "./durable_object/http.ts";

const storages = new WeakMap<WorkflowStore, ObjectStorage>();
const on = (storage: ObjectStorage) => {
  const store = new DurableObjectStore(storage);
  storages.set(store, storage);
  return store;
};
const members = ["heads", "count", "loadSince", "deliver"] as const;
const reopen = (store: WorkflowStore) => on(storages.get(store)!);
testStore(Deno.test, () => on(objectStorage()), { name: "DurableObjectStore", members, reopen });

Deno.test("DurableObjectStore() refuses an object without SQLite, and tables of a later release", () => {
  const none = { ...objectStorage(), sql: undefined as never };
  assertThrows(
    () => new DurableObjectStore(none),
    TypeError,
    'has no SQLite: declare its class in "new_sqlite_classes"',
  );
  const storage = objectStorage();
  new DurableObjectStore(storage);
  storage.sql.exec("UPDATE rockpool_meta SET value = 99");
  assertThrows(() => new DurableObjectStore(storage), Error, "its schema has version 99");
});

Deno.test("DurableObjectStore keeps bytes and texts of a codec that are larger than a row", async () => {
  for (const isText of [true, false]) {
    const store = new DurableObjectStore(objectStorage(), {
      codec: {
        name: "own",
        encode: (text) => isText ? `\0${text}` : new TextEncoder().encode(text),
        decode: (payload) => typeof payload === "string" ? payload.slice(1) : new TextDecoder().decode(payload),
      },
    });
    const input = "😀é\\".repeat(500_000);
    await store.save({ workflowId: "a", status: "running", input });
    assertEquals((await store.load("a"))!.input, input);
  }
});

Deno.test("DurableObjectStore.prune() deletes finished workflows only, with everything that belongs to them", async () => {
  const storage = objectStorage();
  const store = new DurableObjectStore(storage);
  await store.save({ workflowId: "old", status: "completed", updatedAt: 1, result: "x".repeat(1_000_000) });
  await store.save({ workflowId: "new", status: "completed", updatedAt: 5 });
  await store.save({ workflowId: "runs", status: "running", updatedAt: 1 });
  assertEquals(await store.prune({ finishedBefore: 5 }), 1);
  assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["new", "runs"]);
  assertEquals(storage.sql.exec("SELECT 1 FROM rockpool_pieces").toArray(), []);
  await assertRejects(() => store.prune({ before: 1 } as never), TypeError, "before");
});

Deno.test("WorkflowObject.fetch() reads the body of a request that it refuses, up to a bound", async () => {
  const send = async (method: string, path: string, body: BodyInit, headers = {}) => {
    const init = { method, body, headers: { "Content-Type": "application/json", ...headers } };
    const request = new Request(`http://object${path}`, init);
    const { status } = await answer(request, {} as Calls, 100, () => {});
    return [status, request.bodyUsed];
  };
  assertEquals(await send("PUT", "/", "{}"), [404, true]);
  assertEquals(await send("POST", "/a/signal/go", "{}"), [405, true]);
  assertEquals(await send("POST", "/a/signals/go", "{}", { "Idempotency-Key": "~" }), [400, true]);
  assertEquals(await send("PUT", "/a", "{}", { "Content-Length": "101" }), [413, true]);
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(50)) });
  assertEquals(await send("PUT", "/", endless), [404, true]);
});

Deno.test("DurableObjectStore.append() stores nothing when one of its statements fails", async () => {
  const storage = objectStorage();
  const { exec } = storage.sql;
  let isBroken = false;
  storage.sql.exec = (query, ...bindings) => {
    if (isBroken && query.startsWith("INSERT INTO rockpool_events")) throw new Error("disk I/O error");
    return exec(query, ...bindings);
  };
  const store = new DurableObjectStore(storage);
  const append = (workflowId: string, expectedLength: number, type: "workflow_started" | "workflow_completed") => {
    const event = type === "workflow_started"
      ? { type, at: 1, workflowName: "w", input: 1 }
      : { type, at: 2, result: 2 };
    return store.append({ workflowId, runId: "r", expectedLength, events: [event] });
  };
  await append("a", 0, "workflow_started");
  const before = await store.load("a");
  isBroken = true;
  await assertRejects(
    () => append("a", 1, "workflow_completed"),
    Error,
    'Cannot append to workflow "a": disk I/O error',
  );
  await assertRejects(() => append("b", 0, "workflow_started"), Error, "disk I/O error");
  assertEquals([await store.load("a"), await store.load("b")], [before, null]);
  isBroken = false;
  await append("a", 1, "workflow_completed");
  assertEquals((await store.load("a"))!.status, "completed");
});
