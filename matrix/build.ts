/**
 * The package as npm users get it, and what the runtimes load: the scenario with that package.
 *
 * @module
 */

/** The modules in `entries/`. */
const ENTRIES = ["fetch", "fetch_event", "page", "process", "web_worker"] as const;

const ROOT = new URL("../", import.meta.url);

/** Runs `deno`; throws with what it printed if it fails. */
async function deno(cwd: string | URL, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
  if (!success) throw new Error(`deno ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
}

/** A folder with the package in `node_modules`. It is removed at the end. */
export class Build {
  /** The path of the folder. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Packs the package, and installs it. */
  static async make(): Promise<Build> {
    const build = new Build(await Deno.makeTempDir({ prefix: "rockpool-matrix-" }));
    const { folder } = build;
    await deno(ROOT, "pack", "--quiet", "--allow-dirty", "--output", `${folder}/package.tgz`);
    await Deno.mkdir(`${folder}/node_modules/@rockpool/workflow`, { recursive: true });
    const unpack = ["-xzf", "package.tgz", "--strip-components=1", "-C", "node_modules/@rockpool/workflow"];
    const { success } = await new Deno.Command("tar", { args: unpack, cwd: folder, stderr: "inherit" }).output();
    if (!success) throw new Error("Cannot unpack the package");
    // Without the sources' import map, so that the package's own `exports` are used.
    await Deno.writeTextFile(`${folder}/deno.json`, `{ "nodeModulesDir": "manual" }`);
    await Deno.writeTextFile(`${folder}/package.json`, `{ "type": "module" }`);
    await Deno.mkdir(`${folder}/entries`);
    for (const file of ["cases.ts", "scenario.ts", "values.ts", ...ENTRIES.map((entry) => `entries/${entry}.ts`)]) {
      await Deno.copyFile(new URL(file, import.meta.url), `${folder}/${file}`);
    }
    return build;
  }

  /**
   * Makes JavaScript of an entry, and returns its path.
   *
   * @param bundled Whether the package is in it. If not, the runtime itself finds the package in `node_modules`.
   */
  async bundle(entry: (typeof ENTRIES)[number], bundled: boolean): Promise<string> {
    const path = `${this.folder}/${entry}.js`;
    const external = bundled ? [] : ["--external=@rockpool/workflow", "--external=@rockpool/workflow/*"];
    const args = ["--quiet", "--platform=browser", `--output=${path}`, ...external, `entries/${entry}.ts`];
    await deno(this.folder, "bundle", ...args);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
