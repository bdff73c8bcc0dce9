/**
 * Loads the module of a `workflowsPath`, with whatever loads the test itself: ts-node, Jest, Vitest, Deno.
 *
 * 1. The module is the one that the test imports too. So a test and its worker see the same functions.
 * 2. All runs share it. Temporal gives each run a copy of its own, in a sandbox; no loader gives that simply. A module with a variable of
 *    its own, which could differ, is named once in a warning.
 *
 * @module
 */

import { show } from "../../util/show.ts";

/** What a module with workflows exports. */
export type WorkflowModule = Readonly<Record<string, unknown>>;

/**
 * Loads a module by its path.
 *
 * @category Temporal
 */
export type LoadModule = (path: string) => unknown;

let own: LoadModule | undefined;

/**
 * Sets the function that loads modules with workflows. Needed only where the module is not found, or is another one than the test imports:
 * `setModuleLoader((path) => import(path))`, in a file of the test.
 *
 * @param loader Gets the absolute path of `workflowsPath`, and returns the module. `undefined`: the default again.
 *
 * @category Temporal
 */
export function setModuleLoader(loader: LoadModule | undefined): void {
  own = loader;
}

/** The parts of the runtime that are used, where it has them. */
interface Runtime {
  readonly Deno?: unknown;
  readonly process?: {
    getBuiltinModule?(name: string): unknown;
    readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  } | undefined;
}

/** `require` of Node. */
interface Require {
  (path: string): unknown;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** A module of Node; `undefined` in other runtimes. */
function builtin(name: string): unknown {
  const runtime = globalThis as Runtime;
  return runtime.process?.getBuiltinModule?.(name);
}

const PATHS = 'pass require.resolve("./workflows"), or new URL("./workflows.ts", import.meta.url) as a path';

/** Loads a module with workflows. */
export async function loadWorkflows(path: string): Promise<WorkflowModule> {
  const action = `Cannot load the workflows of ${show(path)}`;
  if (own === undefined && /^\.{1,2}[\\/]/.test(path)) {
    throw new TypeError(`${action}: the path must be absolute; ${PATHS}`);
  }
  let module: unknown;
  try {
    module = await (own ?? loadHere)(path);
  } catch (error) {
    const { code } = Object(error) as { code?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    throw new TypeError(`${action}: there is no such module, or one that it imports is missing; ${PATHS}`, {
      cause: error,
    });
  }
  if (typeof module === "object" && module !== null) return module as WorkflowModule;
  throw new TypeError(`${action}: the loader returned ${show(module)}`);
}

/**
 * Jest and Vitest turn `import()` into a call of their own loader; Deno loads TypeScript by it. In Node, ts-node and others hook into
 * `require`, and not into `import()`.
 */
function loadHere(path: string): unknown {
  const { Deno: deno, process: node } = globalThis as Runtime;
  const env = deno === undefined ? node?.env ?? {} : {};
  if (env.JEST_WORKER_ID !== undefined) return import(toPath(path));
  if (deno !== undefined || env.VITEST !== undefined) return import(/* @vite-ignore */ toUrl(path));
  try {
    return requireModule(toPath(path));
  } catch (error) {
    const { code = "" } = error as { code?: string };
    if (code.startsWith("ERR_REQUIRE_") || code === NO_REQUIRE) return import(/* @vite-ignore */ toUrl(path));
    throw error;
  }
}

const NO_REQUIRE = "NO_REQUIRE";

function requireModule(path: string): unknown {
  const node = builtin("node:module") as { createRequire(path: string): Require } | undefined;
  const load = node?.createRequire(path);
  const extension = /\.\w+$/.exec(path)?.[0] ?? ".js";
  if (load?.extensions?.[extension] === undefined) {
    throw Object.assign(new Error(`Cannot load ${path}: require() does not know the extension`), { code: NO_REQUIRE });
  }
  return load(path);
}

/** A path or a `file:` URL as a path. */
function toPath(path: string): string {
  if (!path.startsWith("file:")) return path;
  return decodeURIComponent(new URL(path).pathname).replace(/^\/(?=[A-Za-z]:)/, "");
}

/** A path or a URL as a URL. */
function toUrl(path: string): string {
  if (/^[a-z]{2,}:/.test(path)) return path;
  const slashes = path.replaceAll("\\", "/").replace(/^(?=[A-Za-z]:)/, "/");
  return "file://" + encodeURI(slashes).replaceAll("#", "%23").replaceAll("?", "%3F");
}

/** The modules of which {@linkcode sharedVariables} has told. */
const told = /* @__PURE__ */ new Set<string>();

/**
 * Finds the variables of a module with workflows, once: all runs share them here. Returns their names with the lines. Those of the
 * modules that it imports are not looked for.
 */
export function sharedVariables(path: string): string[] {
  if (told.has(path)) return [];
  told.add(path);
  try {
    const files = builtin("node:fs") as { readFileSync(path: string, as: "utf8"): string } | undefined;
    const lines = files?.readFileSync(toPath(path), "utf8").split("\n") ?? [];
    return lines.flatMap((line, i) => {
      const name = /^(?:export )?(?:let|var) (\w+)/.exec(line)?.[1];
      return name === undefined ? [] : [`${name} (line ${i + 1})`];
    });
  } catch {
    return []; // it cannot be read: only the warning is left out
  }
}
