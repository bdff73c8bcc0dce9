/**
 * Compares the declarations of the interface of Temporal with the real packages, with the TypeScript compiler: same names, and
 * assignable in both directions. Prints a table of what differs, and of what is missing. Compares durations with the package `ms`.
 *
 * `--why NAME` prints what the compiler says about a name. A folder is a checkout of code that is written against Temporal's packages:
 * its files are type-checked with ours in their place.
 *
 * The packages are from npm. Where npm does not answer, it says so in one line, and fails only in CI.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { type Duration, durationMs } from "../../temporal/common/duration.ts";
import { tryInstalled } from "../package/npm.ts";
import { type Comparison, type Pair, TypeComparer } from "./compare.ts";
import { EXPECTED, reasonFor } from "./expected.ts";
import { checkSamples, filesWith } from "./samples.ts";

const TEMPORAL = "1.24.0";
const names = ["common", "workflow", "activity", "testing", "worker", "client"];
const dependencies = Object.fromEntries(names.map((name) => [`@temporalio/${name}`, TEMPORAL]));

/** Our entries for their packages. */
const ENTRIES: Readonly<Record<string, string>> = {
  "@temporalio/common": "./temporal/common",
  "@temporalio/activity": "./temporal/activity",
  "@temporalio/workflow": "./temporal",
  "@temporalio/testing": "./temporal/testing",
  "@temporalio/worker": "./temporal/testing",
  "@temporalio/client": "./temporal/testing",
};

const modules = await tryInstalled({
  ...dependencies,
  typescript: "5.9.3",
  "@types/node": "22.19.1",
  ms: "3.0.0-canary.1",
});
if (modules === undefined) {
  console.log("npm does not answer, and so there are no packages of Temporal: left out");
  Deno.exit(Deno.env.get("CI") ? 1 : 0);
}

const args = Deno.args.filter((arg) => arg !== "--");
const why = args.includes("--why") ? args.splice(args.indexOf("--why"), 2)[1] : undefined;
const [folder] = args;
const root = fileURLToPath(new URL("../../", import.meta.url));
const pairs = Object.entries(ENTRIES).flatMap(([theirs, entry]): Pair[] => {
  const path = (config.exports as Record<string, string>)[entry];
  return path === undefined ? [] : [{ theirs, ours: root + path.slice("./".length) }];
});
const found = new TypeComparer(modules).compare(pairs);
const surprises: string[] = [];

for (const { theirs } of pairs) {
  const all = found.filter(({ module }) => module === theirs);
  const shown = all.filter(({ hidden, state }) => !hidden || state !== "missing");
  const count = (...states: Comparison["state"][]) => shown.filter(({ state }) => states.includes(state)).length;
  const hidden = all.length - shown.length;
  console.log(
    `\n${theirs}: ${shown.length} names, ${count("same")} the same, ${
      count("narrower", "wider", "different")
    } different, ${count("missing")} missing; ${hidden} that its documentation hides are missing, too`,
  );
  const expected: Readonly<Record<string, string>> = EXPECTED[theirs] ?? {};
  const lines = new Map<string, string[]>();
  for (const { name, state, why: complaints } of shown) {
    if (name === why) console.log(`\n${name}: ${state}\n${complaints.join("\n\n")}\n`);
    if (state === "same") {
      if (name in expected) surprises.push(`${theirs} ${name}: it is the same now; remove it from expected.ts`);
      continue;
    }
    const reason = reasonFor(theirs, name, state) ?? "NOT EXPECTED";
    const line = `${state}, ${reason}`;
    if (reason === "NOT EXPECTED") surprises.push(`${theirs} ${name}: ${state}\n${complaints[0] ?? ""}`);
    lines.set(line, [...lines.get(line) ?? [], name]);
  }
  for (const [line, names] of lines) console.log(`  ${line}: ${names.join(", ")}`);
  for (const name in expected) {
    if (!all.some((one) => one.name === name)) surprises.push(`${theirs} ${name}: there is no such name`);
  }
}

const { default: ms } = await import(`file://${modules}/ms/dist/index.mjs`);
const units =
  "ms msec milliseconds s sec second SECONDS m min Minutes h hr hours d day Days w week weeks y yr years x months";
for (const unit of ["", ...units.split(" ")]) {
  for (const number of ["1", "-2.5", ".5", "03", "1e3", "1.", "--1", "١"]) {
    for (const text of [`${number}${unit}`, `${number} ${unit}`, `${number}  ${unit}`, ` ${number}${unit}`]) {
      const [their, our] = [ms(text), millisecondsOf(text)];
      if (!Object.is(their, our)) {
        surprises.push(`duration ${JSON.stringify(text)}: ms says ${their}, ours says ${our}`);
      }
    }
  }
}

function millisecondsOf(text: string): number {
  try {
    return durationMs(text as Duration);
  } catch {
    return NaN;
  }
}

if (folder !== undefined) {
  const files = filesWith(
    await Deno.realPath(folder),
    new RegExp(`from ['"](${pairs.map(({ theirs }) => theirs).join("|")})['"]`),
  );
  const found = checkSamples(modules, files, Object.fromEntries(pairs.map(({ theirs, ours }) => [theirs, ours])));
  const isWorkflow = (path: string) => /@temporalio\/workflow['"]/.test(Deno.readTextFileSync(path));
  const counted = (which: string, of: string[]) =>
    console.log(
      `${which}: ${of.length} files, ${
        of.filter((path) => !found.has(path)).length
      } type-check as they do with Temporal's packages`,
    );
  console.log(`\n${folder}`);
  counted("  workflow code", files.filter(isWorkflow));
  counted("  all", files);
  for (const [path, complaints] of found) {
    console.log(`  ${path}\n    ${complaints.join("\n").replaceAll("\n", "\n    ")}`);
  }
}

if (surprises.length > 0) {
  console.log(`\nNot expected; what is right belongs into tools/temporal_types/expected.ts:`);
  for (const line of surprises) console.log(line);
  Deno.exit(1);
}
