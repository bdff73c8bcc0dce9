/**
 * The package as npm users get it, and what the runtimes load: the scenario with that package.
 *
 * @module
 */

import { pack, type PackedProject } from "../tools/package/packed.ts";
import { run } from "../tools/package/npm.ts";

/** The modules in `entries/`. */
const ENTRIES = ["durable_objects", "fetch", "fetch_event", "page", "process", "temporal", "web_worker"] as const;
type Entry = (typeof ENTRIES)[number];

/** A project with the package in `node_modules`, and with the scenario. It is removed at the end. */
export class Build {
  readonly #project: PackedProject;
  readonly #bundles = new Map<Entry, Promise<string>>();

  private constructor(project: PackedProject) {
    this.#project = project;
  }

  /** The path of the project. */
  get folder(): string {
    return this.#project.folder;
  }

  /** Packs the package, and installs it. */
  static async make(): Promise<Build> {
    const build = new Build(await pack());
    const { folder } = build;
    // Without the import map of the sources, so that the package's own `exports` are used.
    await Deno.writeTextFile(`${folder}/deno.json`, `{ "nodeModulesDir": "manual" }`);
    await Deno.mkdir(`${folder}/entries`);
    for (
      const file of [
        "cases.ts",
        "scenario.ts",
        "sqlite.ts",
        "temporal.ts",
        "values.ts",
        ...ENTRIES.map((entry) => `entries/${entry}.ts`),
      ]
    ) {
      await Deno.copyFile(new URL(file, import.meta.url), `${folder}/${file}`);
    }
    return build;
  }

  /**
   * Makes JavaScript of an entry, and returns its path.
   *
   * @param bundled Whether the package is in it. If not, the runtime itself finds the package in `node_modules`.
   */
  bundle(entry: Entry, bundled: boolean): Promise<string> {
    let made = this.#bundles.get(entry);
    // Once: several runtimes load it, and one must not read what is being written for the next.
    if (made === undefined) this.#bundles.set(entry, made = this.#bundle(entry, bundled));
    return made;
  }

  async #bundle(entry: Entry, bundled: boolean): Promise<string> {
    const path = `${this.folder}/${entry}.js`;
    const external = bundled ? [] : ["--external=@rockpool/workflow", "--external=@rockpool/workflow/*"];
    const args = [
      "--quiet",
      "--platform=browser",
      "--external=cloudflare:workers",
      "--external=node:*",
      `--output=${path}`,
      ...external,
      `entries/${entry}.ts`,
    ];
    await run(Deno.execPath(), ["bundle", ...args], this.folder);
    return path;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#project[Symbol.asyncDispose]());
  }
}
