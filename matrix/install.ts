/**
 * The runtimes of the matrix: which versions, where they come from, and where they are.
 *
 * Packages of npm are installed into one folder of the cache, without their install scripts: the packages with the binaries are
 * named here. Chromium is a package of Debian, and is installed only if no browser of its kind is there.
 *
 * @module
 */

import { createRequire } from "node:module";

const { arch, os } = Deno.build;
const isArm = arch === "aarch64";
const bunPackage = `@oven/bun-${os}-${isArm ? "aarch64" : "x64"}`;
const nodePackage = `${os === "darwin" && isArm ? "node-bin" : "node"}-${os}-${isArm ? "arm64" : "x64"}`;

/** The npm packages by the names under which they are installed. `node-20` has the binary that `node@20` installs. */
export const PACKAGES = {
  "node-20": `npm:${nodePackage}@20.20.2`,
  "node-22": `npm:${nodePackage}@22.23.3`,
  "node-24": `npm:${nodePackage}@24.21.0`,
  "bun-1.2": `npm:${bunPackage}@1.2.5`, // the oldest version that passes: on 1.2.4, cases with repeated writes hang
  "bun-1.4": `npm:${bunPackage}@1.4.5`,
  "miniflare": "4.20260730.0", // brings workerd
  "edge-runtime": "4.0.1",
  "playwright-core": "1.65.1", // drives Chromium
  "@hono/node-server": "2.1.9", // serves a fetch handler on Node
  "hono": "4.13.19", // its peer
};

/** Returns the folder of the npm packages. */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME") || Deno.env.get("TMPDIR") || "/tmp";
  return `${Deno.env.get("XDG_CACHE_HOME") || `${home}/.cache`}/rockpool/matrix`;
}

/** Runs a program. Returns what it prints, or `undefined` if it is not there or fails. */
export async function output(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined; // it is not there
  }
}

async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code } = await new Deno.Command(program, { args, env }).spawn().status;
  if (code !== 0) throw new Error(`Cannot install the runtimes: ${program} ${args.join(" ")} ended with code ${code}`);
}

/** Installs what is missing. */
export async function install(): Promise<void> {
  const folder = cacheFolder();
  const manifest = JSON.stringify({ private: true, dependencies: PACKAGES }, null, 2);
  if (await readText(`${folder}/installed.json`) !== manifest) {
    console.log(`Installing the runtimes from npm into ${folder}`);
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/package.json`, manifest);
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    await run("npm", ["install", "--prefix", folder, ...flags]);
    await Deno.writeTextFile(`${folder}/installed.json`, manifest);
  }
  await installBrowser();
}

/**
 * Returns the path of a browser of the Chromium kind. Installs it from Debian if there is none; only root can do that.
 *
 * @returns `undefined` if there is none, and none can be installed.
 */
export async function installBrowser(): Promise<string | undefined> {
  const found = await findBrowser();
  if (found !== undefined || Deno.uid() !== 0 || await output("apt-get", "--version") === undefined) return found;
  console.log("Installing chromium from Debian");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const patient = ["-qq", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", [...patient, "update"], env);
  await run("apt-get", [...patient, "install", "--yes", "--no-install-recommends", "chromium"], env);
  return await findBrowser();
}

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

/** Loads an npm package of the cache; `undefined` if it is not installed. */
// deno-lint-ignore no-explicit-any -- its types are not there when this module is checked
export function load(name: keyof typeof PACKAGES | "workerd"): any {
  try {
    return createRequire(`${cacheFolder()}/package.json`)(name);
  } catch (error) {
    if ((error as { code?: string }).code !== "MODULE_NOT_FOUND") throw error;
  }
}

/** Returns the version of an installed npm package. */
export function versionOf(name: keyof typeof PACKAGES): string {
  return JSON.parse(Deno.readTextFileSync(`${cacheFolder()}/node_modules/${name}/package.json`)).version;
}

/** The packages with the binary of a process. */
export type Binary = "node-20" | "node-22" | "node-24" | "bun-1.2" | "bun-1.4";

/** Returns the path of a binary: that of the cache, or else one of the same version that users have. */
export async function findBinary(name: Binary): Promise<string | undefined> {
  const [program, wanted] = name.split("-");
  for (const candidate of [`${cacheFolder()}/node_modules/${name}/bin/${program}`, program]) {
    const version = await output(candidate, "--version");
    if (version?.replace("v", "").startsWith(`${wanted}.`)) return candidate;
  }
}

/** Returns the path of a browser of the Chromium kind. */
export async function findBrowser(): Promise<string | undefined> {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const path = await output("sh", "-c", names.map((name) => `command -v ${name}`).join(" || "));
  return path || undefined;
}
