import { assertEquals, assertThrows } from "@std/assert";
import type { WorkflowStore } from "@rockpool/workflow";
import { testStore } from "@rockpool/workflow/testing";
import { FileStore } from "./own_store.ts";

const paths = new WeakMap<WorkflowStore, string>();

/** Opens a store, and deletes its file when it is disposed of. */
function open(path: string): WorkflowStore {
  const store = new FileStore(path);
  paths.set(store, path);
  return Object.assign(store, {
    [Symbol.asyncDispose]() {
      store[Symbol.dispose]();
      return Deno.remove(path).catch(() => {}); // a store that was opened again has deleted it
    },
  });
}

testStore(Deno.test, () => open(Deno.makeTempFileSync()), {
  name: "examples/own_store.ts",
  reopen: (store) => open(paths.get(store)!),
});

Deno.test("examples/own_store.ts drops a line that a crash has cut off, and refuses one that is damaged", async () => {
  const path = await Deno.makeTempFile();
  try {
    {
      using store = new FileStore(path);
      await store.save({ workflowId: "a", status: "running" });
    }
    const line = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, line + line.slice(0, -1));
    {
      using store = new FileStore(path);
      assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a"]);
      await store.save({ workflowId: "b", status: "running" });
    }
    {
      using store = new FileStore(path);
      assertEquals((await store.list()).map(({ workflowId }) => workflowId), ["a", "b"]);
    }
    await Deno.writeTextFile(path, line.slice(1) + line);
    assertThrows(() => new FileStore(path), SyntaxError);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("examples/own_store.ts counts how often it was run with a file", async () => {
  const path = await Deno.makeTempFile();
  try {
    for (const run of [1, 2]) {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", "--allow-read", "--allow-write", "examples/own_store.ts", path],
        cwd: new URL("../", import.meta.url),
      }).output();
      assertEquals(new TextDecoder().decode(stdout), `run ${run} with this file\n`);
    }
  } finally {
    await Deno.remove(path);
  }
});
