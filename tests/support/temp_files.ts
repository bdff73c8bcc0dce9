/**
 * Stores in SQLite files that are deleted with them.
 *
 * @module
 */

import type { WorkflowStore } from "@rockpool/workflow";
import { SqliteStore, type SqliteStoreOptions } from "@rockpool/workflow/sqlite";

/** A folder that is deleted at the end. */
export class TempFolder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "rockpool_" });

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.path, { recursive: true });
  }
}

export class TempFiles {
  readonly #opened = new WeakMap<WorkflowStore, [folder: TempFolder, options: SqliteStoreOptions]>();

  /** Opens a store in a new file. Its folder is deleted when it is disposed of. */
  async open(options: SqliteStoreOptions = {}): Promise<SqliteStore> {
    const folder = new TempFolder();
    const store = await this.#open(folder, options);
    return Object.assign(store, {
      async [Symbol.asyncDispose]() {
        await store.close();
        await folder[Symbol.asyncDispose]();
      },
    });
  }

  /** Opens the file of a store once more. */
  again(store: WorkflowStore): Promise<SqliteStore> {
    return this.#open(...this.#opened.get(store)!);
  }

  async #open(folder: TempFolder, options: SqliteStoreOptions): Promise<SqliteStore> {
    const store = await SqliteStore.open(`${folder.path}/workflows.db`, options);
    this.#opened.set(store, [folder, options]);
    return store;
  }
}
