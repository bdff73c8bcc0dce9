/**
 * Counts the calls inside the core on three paths, and prints a table.
 *
 * `deno run -A tools/call_path.ts [ROOT] [--trace]`, where `ROOT` is a checkout of any version; by default this one.
 *
 * - (a) an input: `execute(workflow, { input })` until the workflow function is called with it
 * - (b) a signal: `executor.signal(…)` until the body of the loop that reads it has the payload
 * - (c) an activity: `execute`, one activity and its result, until `handle.result()` has resolved
 *
 * The script bundles `ROOT/mod.ts`, puts a probe at the start and the end of every function, and runs each scenario with
 * one executor on an `InMemoryStore`. It counts the second time, so that what is created on first use does not count.
 *
 * What counts:
 * 1. Methods and accessors of classes and of object literals, public and private. Each belongs to its class, or to its
 *    file outside of a class. Also named functions outside of classes; each belongs to its file.
 * 2. Not constructors, callbacks and functions inside of functions: what they call counts as a call of their caller. Not
 *    the helpers that know nothing of a run (`util/`, `history/`, `errors.ts`). Of the store, only the public methods of
 *    `InMemoryStore`.
 * 3. **calls**: the distinct pairs of caller and callee. A pair that repeats counts once. An asynchronous function is
 *    still the caller after its `await`. User code and the event loop are one caller, which is "outside".
 * 4. **switches**: the calls from outside, or from what belongs to another class or file.
 * 5. **classes**: the distinct owners of the called methods and accessors.
 * 6. **entries**: how often any function outside of the store was entered, with repetitions and all that 2 leaves out.
 *
 * `--trace` prints the calls in order and how often each was made. The parser is loaded from npm.
 *
 * @module
 */

import { resolve } from "node:path";

/** A function of the core. */
interface Fn {
  readonly owner: string;
  readonly name: string;
  readonly isMember: boolean;
  readonly counts: boolean;
  readonly isStore: boolean;
}

/** A call of a function that runs, or waits. */
interface Frame {
  readonly id: number;
  readonly caller: Frame | undefined;
  /** The call that runs again when this one returns or waits. */
  back: Frame | undefined;
}

// deno-lint-ignore no-explicit-any -- the syntax tree, and the API of any version
type Any = any;

// Files of both layouts: by folder, and flat with underscores.
const STORE = /^(storage\/|(store|lock|_entries|_bit_set|_query|_codec|_snapshot|_watch)\.ts$)/;
const HELPERS =
  /^(util\/|history\/|errors\.|_(value|check|deferred|fifo|lazy_.*|timer_queue|slots|hop|error_record|history)\.)/;
const OUTSIDE = -1;

const root = resolve(Deno.args.find((arg) => !arg.startsWith("--")) ?? `${import.meta.dirname}/..`);
const trace = Deno.args.includes("--trace");
const parser: string = ["npm:acorn", "8.15.0"].join("@"); // computed, so that a type check does not fetch it
const { parse } = await import(parser);

const fns: Fn[] = [];
/** The innermost call that runs. */
let current: Frame | undefined;
/** The calls since the path has begun, until it ends. */
let path: Frame[] | undefined;
/** The calls of the last path that has ended. */
let counted: Frame[] = [];

const probe = {
  enter(id: number): Frame {
    current = { id, caller: current, back: current };
    path?.push(current);
    return current;
  },
  leave(frame: Frame): void {
    current = frame.back;
  },
  pause<T>(frame: Frame, value: T): T {
    current = frame.back;
    frame.back = undefined;
    return value;
  },
  resume<T>(frame: Frame, value?: T): T | undefined {
    if (current !== frame) frame.back = current;
    current = frame;
    return value;
  },
};
Object.assign(globalThis, { __probe: probe });

/** Bundles the core; not minified, so that the names and the files are known. */
async function bundle(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "mod.ts"],
    cwd: root,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Puts the probes into a bundle, and lists its functions in `fns`. */
function instrument(source: string): string {
  const files = [...source.matchAll(/^\/\/ (.*\.ts)$/gm)];
  const begins: { at: number; text: string }[] = [];
  const ends: { at: number; text: string }[] = [];

  /** Visits what is inside of a class, and has a name and a kind if it is the value of a property. */
  function visit(node: Any, owner?: string, name?: string, kind?: string, depth = 0): void {
    if (Array.isArray(node)) return node.forEach((item) => visit(item, owner, undefined, undefined, depth));
    if (typeof node?.type !== "string") return;
    if (node.type === "ClassDeclaration" || node.type === "ClassExpression") owner = name ?? node.id?.name;
    if (node.type.includes("Function")) {
      const file = files.findLast(({ index }) => index <= node.start)![1];
      name ??= node.id?.name;
      const isMember = kind !== undefined && kind !== "constructor";
      const isFunction = owner === undefined && depth === 0 && name !== undefined;
      const isPort = owner === "InMemoryStore" && kind === "method" && !name?.startsWith("#");
      const isStore = STORE.test(file);
      const counts = (isMember || isFunction) && !HELPERS.test(file) && (!isStore || isPort);
      const id = fns.push({ owner: owner ?? file, name: name ?? "", isMember, counts, isStore }) - 1;
      depth++;
      const enter = `const $frame=__probe.enter(${id});try{`;
      const leave = "}finally{__probe.leave($frame)}";
      if (node.body.type !== "BlockStatement") {
        begins.push({ at: source.lastIndexOf("=>", node.body.start) + 2, text: `{${enter}return (` });
        ends.push({ at: node.end, text: `)${leave}}` });
      } else if (!node.generator) { // a generator runs in parts, and is on none of the paths
        begins.push({ at: node.body.start + 1, text: enter });
        ends.push({ at: node.end - 1, text: leave });
      }
    } else if (node.type === "AwaitExpression") {
      begins.push({ at: node.start, text: "__probe.resume($frame," });
      begins.push({ at: node.argument.start, text: "__probe.pause($frame," });
      ends.push({ at: node.end, text: "))" });
    } else if (node.type === "CatchClause") begins.push({ at: node.body.start + 1, text: "__probe.resume($frame);" });
    for (const [key, child] of Object.entries<Any>(node)) {
      if (key === "value" && node.key !== undefined) {
        const { type, name, value } = node.key;
        const shown = type === "PrivateIdentifier" ? `#${name}` : `${name ?? value ?? "[symbol]"}`;
        visit(child, owner, shown, node.method || node.type === "MethodDefinition" ? node.kind : "method", depth);
      } else visit(child, owner, key === "init" ? node.id?.name : undefined, undefined, depth);
    }
  }
  visit(parse(source, { ecmaVersion: "latest", sourceType: "module" }));

  // At one place the ends come first, those of inner functions before those of outer ones.
  let code = "const { __probe } = globalThis;\n";
  let done = 0;
  for (const { at, text } of [...ends.reverse(), ...begins].sort((a, b) => a.at - b.at)) {
    code += source.slice(done, at) + text;
    done = at;
  }
  return code + source.slice(done);
}

const code = instrument(await bundle());

/** A new instance of the core, and an executor. */
async function newExecutor(): Promise<Any> {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { Executor, InMemoryStore } = await import(url);
  return new Executor({ store: new InMemoryStore() });
}

/** Begins a path once earlier work has ended. */
async function begin(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  path = [];
}

/** Ends the path, if it has not ended before. */
function end(): void {
  counted = path ?? counted;
  path = undefined;
}

async function executeTwice(workflow: Any, input: unknown): Promise<void> {
  const executor = await newExecutor();
  for (const _ of [1, 2]) {
    await begin();
    await (await executor.execute(workflow, { input })).result();
    end();
  }
  await executor.close();
}

async function signalTwice(payload: unknown): Promise<void> {
  const executor = await newExecutor();
  let received = Promise.withResolvers<void>();
  const workflow = async (ctx: Any) => {
    for await (const _ of ctx.receiveSignal("go")) {
      end();
      received.resolve();
    }
  };
  await executor.execute(workflow, { id: "a" });
  const newForm = () => executor.signal("a", "go", payload);
  const oldForm = () => executor.signal("a", { name: "go", payload }); // of 0.1.0
  const send = await newForm().then(() => newForm, () => oldForm);
  for (const _ of [1, 2]) {
    received = Promise.withResolvers();
    await begin();
    await send();
    await received.promise;
  }
  await executor.close();
}

async function oneActivity(ctx: Any, n: number): Promise<number> {
  const frame = probe.enter(OUTSIDE); // the core calls this code, which is not part of the core
  const promise = ctx.executeActivity((n: number) => n + 1, n);
  probe.leave(frame);
  return await promise;
}

const scenarios: Record<string, () => Promise<void>> = {
  "(a) an input to workflow code": () => executeTwice(() => end(), { n: 1 }),
  "(b) a signal to its loop": () => signalTwice({ n: 1 }),
  "(c) execute, an activity, its result": () => executeTwice(oneActivity, 1),
};

/** The nearest caller that counts. */
function callerOf({ caller }: Frame): Fn | undefined {
  while (caller !== undefined && caller.id !== OUTSIDE && !fns[caller.id].counts) caller = caller.caller;
  return caller && fns[caller.id];
}

console.log("".padEnd(38) + ["calls", "switches", "classes", "entries"].map((name) => name.padStart(10)).join(""));
for (const [title, run] of Object.entries(scenarios)) {
  await run();
  const frames = counted.filter(({ id }) => id !== OUTSIDE);
  const calls = new Map<string, { from: Fn | undefined; to: Fn; count: number }>();
  for (const frame of frames) {
    const to = fns[frame.id];
    if (!to.counts) continue;
    const from = callerOf(frame);
    const key = `${from ? `${from.owner}.${from.name}` : "outside"} -> ${to.owner}.${to.name}`;
    calls.set(key, { from, to, count: (calls.get(key)?.count ?? 0) + 1 });
  }
  const distinct = [...calls.values()];
  const switches = distinct.filter(({ from, to }) => from?.owner !== to.owner).length;
  const classes = new Set(distinct.filter(({ to }) => to.isMember).map(({ to }) => to.owner)).size;
  const entries = frames.filter(({ id }) => !fns[id].isStore).length;
  const columns = [distinct.length, switches, classes, entries].map((count) => `${count}`.padStart(10));
  console.log(title.padEnd(38) + columns.join(""));
  for (const [key, { count }] of trace ? calls : []) console.log(`    ${key}${count > 1 ? `, ${count} times` : ""}`);
}
