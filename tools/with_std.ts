/**
 * Runs `deno test`, `bench`, `check` or `run` with `@std/*`, also if JSR does not answer.
 *
 * `deno.json` names the real packages. If jsr.io does not answer, the import map in `tools/std/` replaces the imports of
 * `deno.json`, and maps the same names to the stand-ins. The package's own name resolves from the exports of `deno.json` in both
 * cases. `ROCKPOOL_STD=real` and `ROCKPOOL_STD=standin` choose one and skip the probe.
 *
 * There is no lock file, because it cannot be made without JSR. Exact versions are pinned instead. A development dependency from
 * npm must be in both maps.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** Which `@std` to use. */
export type Std = "real" | "standin";

/** The flags of each subcommand: no more permissions than its files need, no prompts. */
const FLAGS: Record<string, string[]> = {
  // Tests read the tree, and files of their own, which they write. They also run the demo, and `deno` on the tree. They ask servers of
  // their own on this machine.
  test: [
    "--doc",
    "--no-prompt",
    "--allow-read",
    "--allow-write",
    "--allow-net=127.0.0.1,localhost",
    `--allow-run=${Deno.execPath()}`,
  ],
  bench: ["--no-prompt", "--allow-read=."],
  check: [],
  run: ["--no-prompt", "--allow-read"],
};

/** Decides which `@std` to use. Prints a line if JSR does not answer. */
export async function chooseStd(): Promise<Std> {
  const forced = Deno.env.get("ROCKPOOL_STD");
  if (forced === "real" || forced === "standin") return forced;
  if (forced) throw new RangeError(`Cannot use ROCKPOOL_STD "${forced}": want real or standin`);
  if (await jsrAnswers()) return "real";
  console.error("JSR does not answer: the stand-ins in tools/std replace @std/*");
  return "standin";
}

/** Whether JSR serves every pinned package. */
async function jsrAnswers(): Promise<boolean> {
  const signal = AbortSignal.timeout(3000);
  try {
    const pinned = Object.values(config.imports).filter((target) => target.startsWith("jsr:"));
    await Promise.all(pinned.map(async (specifier) => {
      const url = specifier.replace(/^jsr:(.+)@(.+)$/, "https://jsr.io/$1/$2_meta.json");
      const response = await fetch(url, { signal });
      await response.json(); // a captive portal also answers, but not in JSON
      if (!response.ok) throw new Error(`JSR answered ${response.status}`);
    }));
    return true;
  } catch {
    return false;
  }
}

/** The command line of a `deno` subcommand with `@std/*`. */
export function withStd(std: Std, subcommand: string, args: string[]): string[] {
  const flags = FLAGS[subcommand];
  if (!flags) throw new RangeError(`Cannot run "deno ${subcommand}": want ${Object.keys(FLAGS)}`);
  const map = std === "real" ? [] : ["--import-map", `${import.meta.dirname}/std/import_map.json`];
  return [subcommand, ...map, ...flags, ...args];
}

if (import.meta.main) {
  const [subcommand = "", ...args] = Deno.args;
  const command = withStd(await chooseStd(), subcommand, args);
  const { code } = await new Deno.Command(Deno.execPath(), { args: command }).spawn().status;
  Deno.exit(code);
}
