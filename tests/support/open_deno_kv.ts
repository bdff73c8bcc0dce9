import { DenoKvStore } from "@rockpool/workflow/deno-kv";
import type { WorkflowStore } from "@rockpool/workflow";

export async function openStore(path: string, leaseMs: number): Promise<WorkflowStore & AsyncDisposable> {
  const kv = await Deno.openKv(path);
  const store = new DenoKvStore(kv, { leaseMs, pollMs: 20 });
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await store.close();
      kv.close();
    },
  });
}
