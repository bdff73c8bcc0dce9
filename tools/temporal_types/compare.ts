/**
 * Compares the declarations of two modules with the TypeScript compiler: which names one has, and whether what they name can be
 * assigned in both directions.
 *
 * 1. Ours are compared as declarations, as npm users get them.
 * 2. Brands and members that users cannot reach (`private`, `protected`, `#x`) are left out on both sides: with them, no two classes
 *    are ever the same.
 * 3. A generic type is compared with `any` for each of its parameters.
 *
 * @module
 */

import { dirname } from "node:path";
import { type Compiler, compilerIn } from "./compiler.ts";

/** A module of ours and one of theirs. */
export interface Pair {
  /** The path of our module. */
  readonly ours: string;
  /** The name of their package. */
  readonly theirs: string;
}

/** What is known about a name of theirs. */
export interface Comparison {
  readonly module: string;
  readonly name: string;
  /** Whether their documentation leaves it out. */
  readonly hidden: boolean;
  /**
   * `missing`: we do not have it. `same`: both directions. `narrower`: ours can be used where theirs is expected, and not the other way
   * round. `wider`: theirs can be used where ours is expected, only. `different`: neither.
   */
  readonly state: "missing" | "same" | "narrower" | "wider" | "different";
  /** What the compiler says. */
  readonly why: readonly string[];
}

/** What brands become: on their side the names that ours have for the same. */
const BRANDS: readonly (readonly [RegExp, string])[] = [
  [/\[argsBrand\]: Args;/g, "readonly argsType?: Args;"],
  [/\[retBrand\]: Ret;/g, "readonly returnType?: Ret;"],
  [/\[valueTypeBrand\]\?: T;/g, "readonly valueType?: T;"],
  [/(const NotAnActivityMethod): unique symbol;/g, '$1: "no activity";'],
];
const UNREACHABLE = /^\s*(#private|(private|protected)\b[^;{]*);$/gm;

/** Leaves out brands, and members that users cannot reach. */
function strip(declarations: string): string {
  let text = declarations.replaceAll(UNREACHABLE, "");
  for (const [brand, ours] of BRANDS) text = text.replaceAll(brand, ours);
  return text;
}

/** Compares modules. */
export class TypeComparer {
  readonly #ts: Compiler;
  /** The folder of `node_modules`. */
  readonly #folder: string;
  readonly #options: Compiler;
  /** Files that are not on the disk, by path. */
  readonly #files = new Map<string, string>();
  readonly #sources = new Map<string, Compiler | undefined>();

  /** @param modules The `node_modules` with the compiler and their packages. */
  constructor(modules: string) {
    this.#folder = dirname(modules);
    const api = compilerIn(modules);
    this.#ts = api;
    this.#options = {
      target: api.ScriptTarget.ES2023,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.esnext.disposable.d.ts"],
      module: api.ModuleKind.ESNext,
      moduleResolution: api.ModuleResolutionKind.Node10, // the one that finds the types of `ms`
      allowImportingTsExtensions: true,
      esModuleInterop: true,
      strict: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [`${modules}/@types`],
    };
  }

  /** Compares each name of their modules with the same name of ours. */
  compare(pairs: readonly Pair[]): Comparison[] {
    const { declarations, paths } = this.#declare(pairs.map(({ ours }) => ours));
    const root = `${this.#folder}/compare.ts`;
    const imports = pairs.flatMap(({ theirs }, i) => [
      `import type * as O${i} from ${JSON.stringify(paths[i])};`,
      `import type * as T${i} from ${JSON.stringify(theirs)};`,
    ]);
    this.#files.set(root, `${imports.join("\n")}\n`);
    const first = this.#program([root, ...declarations], true);
    const checker = first.getTypeChecker();
    const names = this.#importedModules(first, root).map((module) =>
      new Map<string, Compiler>(
        checker.getExportsOfModule(module).map((one: Compiler) => [one.name, this.#resolved(checker, one)]),
      )
    );
    const comparisons: (Omit<Comparison, "state" | "why"> & { first: number; count: number })[] = [];
    const lines = [...imports];
    for (const [i, { theirs }] of pairs.entries()) {
      const [our, their] = [names[2 * i], names[2 * i + 1]];
      for (const [name, symbol] of their) {
        if (this.#isUnknown(checker, symbol)) throw new Error(`${theirs}: the type of ${name} cannot be resolved`);
        const checks = this.#checks(`O${i}.${name}`, our.get(name), `T${i}.${name}`, symbol);
        comparisons.push({
          module: theirs,
          name,
          hidden: this.#isHidden(symbol),
          first: lines.length,
          count: checks?.length ?? 0,
        });
        lines.push(...checks ?? []);
      }
    }
    this.#files.set(root, `${lines.join("\n")}\n`);
    this.#sources.delete(root);
    const program = this.#program([root, ...declarations], true, first);
    const complaints = new Map<number, string>();
    const file = program.getSourceFile(root)!;
    for (const { start, messageText } of program.getSemanticDiagnostics(file)) {
      const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
      complaints.set(line, this.#ts.flattenDiagnosticMessageText(messageText, "\n"));
    }
    return comparisons.map(({ first, count, ...about }) => {
      const found = Array.from({ length: count }, (_, i) => complaints.get(first + i));
      // Even lines assign ours to theirs, odd ones theirs to ours.
      const isBad = (side: number) => found.some((complaint, i) => i % 2 === side && complaint !== undefined);
      const why = found.filter((complaint) => complaint !== undefined);
      if (count === 0) return { ...about, state: "missing", why };
      const state = isBad(0) ? isBad(1) ? "different" : "wider" : isBad(1) ? "narrower" : "same";
      return { ...about, state, why };
    });
  }

  /** Writes the declarations of our modules, in memory. */
  #declare(entries: readonly string[]): { declarations: string[]; paths: string[] } {
    const place = (path: string) => `${this.#folder}/declared${path}`;
    const program = this.#program(entries, false);
    const declarations: string[] = [];
    program.emit(undefined, (path: string, text: string) => {
      this.#files.set(place(path), strip(text));
      declarations.push(place(path));
    });
    const errors = program.getSyntacticDiagnostics();
    if (errors.length > 0) throw new Error(this.#ts.flattenDiagnosticMessageText(errors[0].messageText, "\n"));
    return { declarations, paths: entries.map((entry) => place(entry.replace(/\.ts$/, ".js"))) };
  }

  #program(roots: readonly string[], compares: boolean, before?: Compiler): Compiler {
    const options = compares
      ? { ...this.#options, noEmit: true }
      : { ...this.#options, declaration: true, emitDeclarationOnly: true };
    const host = this.#ts.createCompilerHost(options);
    const { getSourceFile, fileExists, readFile } = host;
    host.fileExists = (path: string) => this.#files.has(path) || fileExists(path);
    host.readFile = (path: string) => this.#files.get(path) ?? readFile(path);
    host.directoryExists = () => true;
    host.getSourceFile = (path: string, languageVersion: unknown, ...rest: unknown[]) => {
      if (this.#sources.has(path)) return this.#sources.get(path);
      let text = this.#files.get(path);
      if (text === undefined && compares && path.includes("/@temporalio") && path.endsWith(".d.ts")) {
        text = strip(readFile(path) ?? "");
      }
      const source = text === undefined
        ? getSourceFile.call(host, path, languageVersion, ...rest)
        : this.#ts.createSourceFile(path, text, languageVersion);
      this.#sources.set(path, source);
      return source;
    };
    return this.#ts.createProgram({ rootNames: roots, options, host, ...(before && { oldProgram: before }) });
  }

  /** The modules that a file imports, in order. */
  #importedModules(program: Compiler, path: string): Compiler[] {
    const checker = program.getTypeChecker();
    const source = program.getSourceFile(path)!;
    return source.statements.filter(this.#ts.isImportDeclaration).map(({ moduleSpecifier }: Compiler) => {
      const symbol = checker.getSymbolAtLocation(moduleSpecifier);
      if (symbol === undefined) throw new Error(`Cannot find module ${moduleSpecifier.getText(source)}`);
      return symbol;
    });
  }

  #resolved(checker: Compiler, symbol: Compiler): Compiler {
    return symbol.flags & this.#ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  }

  /** Whether the compiler takes a name for `any`: then each comparison would succeed. */
  #isUnknown(checker: Compiler, symbol: Compiler): boolean {
    const { SymbolFlags, TypeFlags } = this.#ts;
    const types = [
      ...symbol.flags & SymbolFlags.Value ? [checker.getTypeOfSymbol(symbol)] : [],
      ...symbol.flags & SymbolFlags.Type ? [checker.getDeclaredTypeOfSymbol(symbol)] : [],
    ];
    return types.length === 0 || types.some(({ flags }) => flags & TypeFlags.Any);
  }

  #isHidden(symbol: Compiler): boolean {
    return symbol.getJsDocTags().some(({ name }: Compiler) => /^(hidden|internal|ignore)$/.test(name)) ||
      /^(encode|decode)[A-Z]/.test(symbol.name);
  }

  /** Lines that compile if both names mean the same; `undefined` if ours is missing. */
  #checks(
    our: string,
    ours: Compiler | undefined,
    their: string,
    theirs: Compiler,
  ): string[] | undefined {
    const { SymbolFlags } = this.#ts;
    const lines: string[] = [];
    const assign = (our: string, their: string) =>
      lines.push(`{ const x: ${their} = null! as ${our}; }`, `{ const x: ${our} = null! as ${their}; }`);
    for (const flag of [SymbolFlags.Value, SymbolFlags.Type]) {
      if (!(theirs.flags & flag)) continue;
      if (ours === undefined || !(ours.flags & flag)) return undefined;
      if (flag === SymbolFlags.Value) assign(`typeof ${our}`, `typeof ${their}`);
      else assign(our + this.#anyFor(ours), their + this.#anyFor(theirs));
    }
    return lines.length === 0 ? undefined : lines;
  }

  /** `<any, any>` for a type with two parameters. */
  #anyFor(symbol: Compiler): string {
    const parameters = symbol.declarations?.map((declaration: Compiler) => declaration.typeParameters?.length ?? 0) ??
      [];
    const count = Math.max(0, ...parameters);
    return count === 0 ? "" : `<${Array(count).fill("any").join(", ")}>`;
  }
}
