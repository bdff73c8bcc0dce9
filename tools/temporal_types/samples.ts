/**
 * Type-checks files that are written against Temporal's packages twice: with the packages, and with ours in their place.
 *
 * @module
 */

import { type Compiler, compilerIn } from "./compiler.ts";

/** Errors that only ours gives, by file. */
export type Complaints = ReadonlyMap<string, readonly string[]>;

/**
 * Checks files.
 *
 * @param modules The `node_modules` with the compiler and the packages.
 * @param files The paths of the files. Packages that they need and that are not there are `any`.
 * @param ours The path of our module for each package.
 * @returns The files that have errors with ours and not with the packages.
 */
export function checkSamples(
  modules: string,
  files: readonly string[],
  ours: Readonly<Record<string, string>>,
): Complaints {
  const api = compilerIn(modules);
  const check = (paths: Record<string, string[]>) => {
    const program = api.createProgram(files, {
      target: api.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.esnext.disposable.d.ts"],
      module: api.ModuleKind.CommonJS,
      moduleResolution: api.ModuleResolutionKind.Node10,
      allowImportingTsExtensions: true,
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      esModuleInterop: true,
      resolveJsonModule: true,
      experimentalDecorators: true,
      types: ["node"],
      typeRoots: [`${modules}/@types`],
      paths,
    });
    return new Map(files.map((path) => {
      const source = program.getSourceFile(path)!;
      const errors = program.getSemanticDiagnostics(source).map(({ code, start = 0, messageText }: Compiler) => {
        const { line } = source.getLineAndCharacterOfPosition(start);
        return [
          `${code} at ${start}`,
          `line ${line + 1}: ${api.flattenDiagnosticMessageText(messageText, "\n")}`,
        ] as const;
      });
      return [path, new Map<string, string>(errors)];
    }));
  };
  const others = { ms: [`${modules}/ms`], "nexus-rpc": [`${modules}/nexus-rpc`] };
  const own = check({ ...others, ...mapped(ours, (name) => [ours[name]]) });
  const real = check({ ...others, ...mapped(ours, (name) => [`${modules}/${name}`]) });
  const complaints = new Map<string, string[]>();
  for (const [path, errors] of own) {
    const only = [...errors].filter(([place]) => !real.get(path)!.has(place)).map(([, text]) => text);
    if (only.length > 0) complaints.set(path, only);
  }
  return complaints;
}

function mapped<T>(keys: Readonly<Record<string, unknown>>, value: (key: string) => T): Record<string, T> {
  return Object.fromEntries(Object.keys(keys).map((key) => [key, value(key)]));
}

/** The TypeScript files of a folder whose text matches. */
export function filesWith(folder: string, pattern: RegExp): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return name === "node_modules" || name.startsWith(".") ? [] : filesWith(path, pattern);
    return /\.tsx?$/.test(name) && pattern.test(Deno.readTextFileSync(path)) ? [path] : [];
  });
}
