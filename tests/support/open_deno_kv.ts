/**
 * Opens a store in a file of Deno KV, for processes that share it.
 *
 * @module
 */

import { DenoKvStore } from "@rockpool/workflow/deno-kv";

/** @param path The path of the file. */
export async function openStore(path: string, leaseMs: number): Promise<DenoKvStore & AsyncDisposable> {
  const kv = await Deno.openKv(path);
  const store = new DenoKvStore(kv, { leaseMs, pollMs: 20 });
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await store.close();
      kv.close();
    },
  });
}
