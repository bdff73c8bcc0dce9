/**
 * Runs `deno test`, `bench`, `check` or `run` with `@std/*` at hand, whether or not JSR answers.
 *
 * `deno.json` names the real packages. Where jsr.io does not answer, the import map in `tools/std/`
 * takes the place of `deno.json`'s imports and maps the same names to the stand-ins there. The
 * package's own name resolves from `deno.json`'s exports both ways. `ROCKPOOL_STD=real` or
 * `ROCKPOOL_STD=standin` forces one way and saves the probe.
 *
 * There is no lock file, since one cannot be made without JSR; exact versions are pinned instead.
 * A development dependency from npm, should there be one, has to be in both maps.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** Which `@std` to run with. */
export type Std = "real" | "standin";

/** What each subcommand is always given: no more permissions than its files need, no prompts. */
const FLAGS: Record<string, string[]> = {
  // Tests read the tree, and run the demo and `deno` on the tree.
  test: ["--doc", "--no-prompt", "--allow-read=.", `--allow-run=${Deno.execPath()}`],
  bench: ["--no-prompt", "--allow-read=."],
  check: [],
  run: ["--no-prompt", "--allow-read"],
};

/** Decides which `@std` to run with, and says so if JSR was asked in vain. */
export async function chooseStd(): Promise<Std> {
  const forced = Deno.env.get("ROCKPOOL_STD");
  if (forced === "real" || forced === "standin") return forced;
  if (forced) throw new RangeError(`Cannot use ROCKPOOL_STD "${forced}": want real or standin`);
  if (await jsrAnswers()) return "real";
  console.error("JSR does not answer: @std/* is replaced by the stand-ins in tools/std");
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
      await response.json(); // a captive portal answers too, but not in JSON
      if (!response.ok) throw new Error(`JSR answered ${response.status}`);
    }));
    return true;
  } catch {
    return false;
  }
}

/** The command line of a `deno` subcommand that finds `@std/*`. */
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
