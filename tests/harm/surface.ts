/**
 * The public surface, as `deno doc` reads it from the declarations: which functions hand out promises, and which functions callers
 * give in.
 *
 * A function stands on one of two sides. The exports are handed out. The parameters of a function stand on its other side, and
 * what it returns on its own side. So the `next` of a middleware is handed out, and the function that a store's `subscribe` returns
 * is given in.
 *
 * Names are places: `Owner.member`, `Owner.member(parameter)`, `function(parameter)`, `place()` for what a function returns.
 *
 * @module
 */

import { assert } from "@std/assert";
import config from "../../deno.json" with { type: "json" };

const root = new URL("../../", import.meta.url);

/** The parts of a type, a member or a declaration in the output of `deno doc --json` that are read here. */
interface Node {
  readonly kind?: string;
  readonly name?: string;
  // deno-lint-ignore no-explicit-any -- it depends on the kind
  readonly value?: any;
  readonly declarationKind?: string;
  // deno-lint-ignore no-explicit-any -- it depends on the kind
  readonly def?: any;
  readonly [key: string]: unknown;
}

type Side = "out" | "in";

/** The names of the public surface. */
export interface Surface {
  /** What hands out a promise, or something that holds one. */
  readonly promises: ReadonlySet<string>;
  /** What callers give in and the library calls. An `AbortSignal` counts: its reason is anything. */
  readonly callbacks: ReadonlySet<string>;
}

/** Types of the language that settle later. */
const LATER = new Set(["Promise", "PromiseLike", "AsyncIterable", "AsyncIterableIterator", "AsyncIterator"]);

/** Interfaces that only the library implements. Callers give their values back. */
const OWN = new Set(["WorkflowContext", "ScopeContext", "ActivityContext", "ChildHandle"]);

/** The entries of the package, but for the interface of Temporal: some of its types have the names of others. */
const entries = Object.values(config.exports).filter((entry) => !entry.startsWith("./temporal/"));
/** The entries of the interface of Temporal. */
export const temporalEntries = Object.values(config.exports).filter((entry) => entry.startsWith("./temporal/"));

/** Reads the public surface of some entries of the package. */
export async function readSurface(of: readonly string[] = entries): Promise<Surface> {
  const args = ["doc", "--json", "--quiet", ...of];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: root, stderr: "null" }).output();
  assert(success, "deno doc failed");
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
    nodes: Record<string, { symbols: { name: string; declarations: Node[] }[] }>;
  };
  const declared = new Map<string, Node[]>();
  const exported: string[] = [];
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations } of symbols) {
      const own = declarations.filter(({ kind, jsDoc }) => kind !== "reference" && !isInternal(jsDoc));
      if (own.length === 0) continue;
      declared.set(name, own);
      if (own.some(({ declarationKind }) => declarationKind === "export")) exported.push(name);
    }
  }
  return new Reader(declared).read(exported);
}

const isInternal = (doc: unknown): boolean =>
  (doc as { tags?: { kind: string }[] } | undefined)?.tags?.some(({ kind }) => kind === "internal") === true;

class Reader {
  readonly #declared: ReadonlyMap<string, Node[]>;
  readonly #promises = new Set<string>();
  readonly #callbacks = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(declared: ReadonlyMap<string, Node[]>) {
    this.#declared = declared;
  }

  read(names: readonly string[]): Surface {
    // An exported interface is what something else takes or returns: it is read from there.
    for (const name of names) {
      for (const { kind, def } of this.#declared.get(name)!) {
        if (kind === "function") this.#function(def, "out", name, []);
        if (kind === "class") this.#named(name, "out", name, []);
        if (kind === "variable") this.#type(def.tsType, "out", name, []);
      }
    }
    return { promises: this.#promises, callbacks: this.#callbacks };
  }

  /** A function, a method, or the type of one. */
  #function(def: Node, side: Side, place: string, generics: readonly Node[]): void {
    const all = [...generics, ...(def.typeParams as Node[] ?? [])];
    const returned = (def.returnType ?? def.tsType) as Node | undefined;
    if (side === "in") this.#callbacks.add(place);
    else if (this.#settlesLater(returned)) this.#promises.add(place);
    for (const given of def.params as Node[]) {
      const parameter = (given.left ?? given.arg ?? given) as Node;
      const type = parameter.tsType ?? given.tsType;
      this.#type(type, side === "in" ? "out" : "in", `${place}(${parameter.name ?? "…"})`, all);
    }
    this.#type(returned, side, `${place}()`, all);
  }

  /** A class, an interface or the name of another type. */
  #named(name: string, side: Side, place: string, generics: readonly Node[]): void {
    for (const { kind, def } of this.#declared.get(name)!) {
      if (side === "in" && (kind === "class" || OWN.has(name))) continue; // the library made it
      if (kind === "typeAlias") {
        if (this.#seen.has(`${side} ${place} ${name}`)) continue;
        this.#seen.add(`${side} ${place} ${name}`);
        this.#type(def.tsType, side, place, [...generics, ...def.typeParams ?? []]);
      } else if (kind === "class" || kind === "interface") {
        if (this.#seen.has(`${side} ${name} ${kind}`)) continue;
        this.#seen.add(`${side} ${name} ${kind}`);
        const own = def.typeParams ?? [];
        if (side === "out") {
          for (const one of def.constructors ?? []) this.#function(one, side, `new ${name}`, own);
        }
        for (const one of def.methods ?? []) this.#function(one.functionDef ?? one, side, `${name}.${one.name}`, own);
        for (const one of def.properties ?? []) {
          if (one.name === "types") continue; // always absent
          if (side === "out" && this.#settlesLater(one.tsType, 1)) this.#promises.add(`${name}.${one.name}`);
          this.#type(one.tsType, side, `${name}.${one.name}`, own);
          if (side === "out" && !one.readonly) this.#type(one.tsType, "in", `${name}.${one.name}`, own); // callers set it
        }
        if (side === "in" && Array.isArray(def.extends)) this.#type(def.extends, side, place, own);
      }
    }
  }

  #type(type: unknown, side: Side, place: string, generics: readonly Node[]): void {
    if (typeof type !== "object" || type === null) return;
    if (Array.isArray(type)) return type.forEach((one) => this.#type(one, side, place, generics));
    const { kind, value } = type as Node;
    if (kind === "fnOrConstructor") return this.#function(value, side, place, generics);
    if (kind === "conditional") return this.#type([value.trueType, value.falseType], side, place, generics);
    if (kind !== "typeRef") return Object.values(type).forEach((one) => this.#type(one, side, place, generics));
    const { typeName: name, typeParams } = value;
    this.#type(typeParams, side, place, generics);
    if (name === "AbortSignal" && side === "in") this.#callbacks.add(place);
    const generic = generics.find((one) => one.name === name);
    if (generic !== undefined) return this.#type(generic.constraint, side, place, generics);
    if (this.#declared.has(name)) this.#named(name, side, place, generics);
  }

  /** Whether a type is a promise, or holds one: a method that returns one, or a property. */
  #settlesLater(type: unknown, depth = 0): boolean {
    if (typeof type !== "object" || type === null) return false;
    const { kind, value } = type as Node;
    if (kind === "fnOrConstructor") return false;
    if (kind !== "typeRef") return Object.values(type).some((one) => this.#settlesLater(one, depth));
    if (LATER.has(value.typeName) || this.#settlesLater(value.typeParams, depth)) return true;
    const declarations = depth === 0 ? this.#declared.get(value.typeName) : undefined;
    return declarations?.some(({ def }) =>
      [...def?.methods ?? [], ...def?.properties ?? []].some((one) =>
        this.#settlesLater((one.functionDef ?? one).returnType ?? one.tsType, 1) ||
        one.tsType?.kind === "fnOrConstructor" && this.#settlesLater(one.tsType.value.tsType, 1)
      )
    ) ?? false;
  }
}
