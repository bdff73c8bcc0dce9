/**
 * Runs the body of every bench once, to check that it still works.
 *
 * `deno bench` cannot do that: it repeats a fast body for a fixed time and ignores `n`. This tool replaces `Deno.bench` with a
 * collector, and imports the bench files.
 *
 * @module
 */

type Body = (context: Deno.BenchContext) => void | Promise<void>;
type Options = Partial<Deno.BenchDefinition>;

const benches: Required<Pick<Deno.BenchDefinition, "name" | "fn">>[] = [];

/** Accepts the same orders of arguments as `Deno.bench`. */
function collect(...args: (string | Options | Body)[]) {
  const options = args.find((arg) => typeof arg === "object") ?? {};
  const fn = args.find((arg) => typeof arg === "function") ?? options.fn;
  if (!fn) throw new TypeError("Cannot collect a bench: it has no body");
  const name = args.find((arg) => typeof arg === "string") ?? options.name ?? fn.name;
  if (!options.ignore) benches.push({ name, fn });
}
Deno.bench = collect as typeof Deno.bench;

let count = 0;
const directory = new URL("../bench/", import.meta.url);
for (
  const { name: file } of [...Deno.readDirSync(directory)].sort((a, b) => a.name < b.name ? -1 : 1)
) {
  if (!file.endsWith("_bench.ts")) continue;
  await import(new URL(file, directory).href);
  for (const { name, fn } of benches.splice(0)) {
    const start = performance.now();
    await fn({ name, origin: file, start() {}, end() {} });
    count++;
    console.log(`${file}: ${name} ... ok (${Math.round(performance.now() - start)}ms)`);
  }
}
if (count === 0) throw new Error("Cannot find a bench: want bench/*_bench.ts");
