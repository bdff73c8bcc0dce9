/**
 * Packs the package as npm users get it, and unpacks it into the `node_modules` of an empty project.
 *
 * JSR makes its npm packages in the same way: with the same compiler, and without `sideEffects` in `package.json`.
 *
 * @module
 */

import { run } from "./npm.ts";

/** The root of the repository. */
export const ROOT: string = `${import.meta.dirname}/../../`; // not the path of the URL, where a space is "%20"

/** The package in a project outside of the checkout. */
export interface PackedProject extends AsyncDisposable {
  /** The folder of the project. */
  readonly folder: string;
  /** The path of the tarball. */
  readonly tarball: string;
  /** The names of the entries: `.`, `./lock` … */
  readonly entries: readonly string[];
}

/** The URLs of the files that are published. Fails if a public type is slow: it would need inference. */
export async function publishedFiles(): Promise<string[]> {
  const printed = await run(Deno.execPath(), ["publish", "--dry-run", "--allow-dirty", "--no-check"], ROOT);
  return [...printed.matchAll(/^ *(file:\S+) \(/gm)].map(([, url]) => url);
}

/** Packs the package. The project is removed when it is disposed of. */
export async function pack(): Promise<PackedProject> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "rockpool-package-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const tarball = `${folder}/package.tgz`;
  const packageFolder = `${folder}/node_modules/@rockpool/workflow`;
  // The source maps of `deno pack` hold the path of the checkout.
  await run(Deno.execPath(), ["pack", "--allow-dirty", "--no-source-maps", "--output", tarball], ROOT);
  await Deno.mkdir(packageFolder, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", packageFolder, "--strip-components=1"]);
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ private: true, type: "module" }));
  const { exports } = JSON.parse(await Deno.readTextFile(`${packageFolder}/package.json`));
  const made = stack.move();
  return { folder, tarball, entries: Object.keys(exports), [Symbol.asyncDispose]: () => made.disposeAsync() };
}
