/**
 * Stores in Deno KV, with databases that are closed with them.
 *
 * @module
 */

import type { WorkflowStore } from "@rockpool/workflow";
import { DenoKvStore, type DenoKvStoreOptions } from "@rockpool/workflow/deno-kv";
import { TempFolder } from "./temp_files.ts";

export class KvFiles {
  readonly #opened = new WeakMap<WorkflowStore, [path: string, options: DenoKvStoreOptions]>();

  /** Opens a store; by default in a new file. Its folder is deleted when the store is disposed of. */
  async open(path?: string, options: DenoKvStoreOptions = { pollMs: 1 }): Promise<DenoKvStore> {
    if (path !== undefined) return await this.#open(path, options);
    const folder = new TempFolder();
    return await this.#open(`${folder.path}/workflows.db`, options, folder);
  }

  /** Opens the file of a store once more. */
  again(store: WorkflowStore): Promise<DenoKvStore> {
    return this.#open(...this.#opened.get(store)!);
  }

  async #open(path: string, options: DenoKvStoreOptions, folder?: TempFolder): Promise<DenoKvStore> {
    const kv = await Deno.openKv(path);
    const store = new DenoKvStore(kv, options);
    this.#opened.set(store, [path, options]);
    return Object.assign(store, {
      async [Symbol.asyncDispose]() {
        await store.close();
        kv.close();
        await folder?.[Symbol.asyncDispose]();
      },
    });
  }
}
