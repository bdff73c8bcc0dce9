/**
 * Runs a file with workflow code of the samples, in a process of its own: an import map puts this package in the place of Temporal's.
 *
 * @module
 */

import { ROOT } from "../package/packed.ts";
import type { ScenarioReport } from "./run_file.ts";

/** What came of a file. */
export interface FileReport {
  readonly scenarios: readonly ScenarioReport[];
}

/** How long a file may take, in milliseconds. */
const LIMIT_MS = 120_000;

/** Packages that workflow code of the samples loads. */
const PACKAGES = { "async-mutex": "npm:async-mutex@0.5.0", "immer": "npm:immer@9.0.21" };

/** Runs the scenarios of a file. */
export async function runWorkflowFile(folder: string, file: string): Promise<FileReport> {
  const scratch = await Deno.makeTempDir({ prefix: "rockpool-temporal-" });
  try {
    const temporal = `file://${ROOT}temporal`;
    const imports = {
      ...PACKAGES,
      "@temporalio/workflow": `${temporal}/mod.ts`,
      "@temporalio/common": `${temporal}/common/mod.ts`,
      "@temporalio/activity": `${temporal}/activity/mod.ts`,
      "@temporalio/client": `${temporal}/testing/mod.ts`,
      "@temporalio/worker": `${temporal}/testing/mod.ts`,
      "@temporalio/testing": `${temporal}/testing/mod.ts`,
      "@temporalio/envconfig": `file://${ROOT}tools/temporal/envconfig.ts`,
      "@fooddelivery/common": `file://${folder}/food-delivery/packages/common/index.ts`,
    };
    const config = `${scratch}/deno.json`;
    await Deno.writeTextFile(config, JSON.stringify({ imports, unstable: ["sloppy-imports"], nodeModulesDir: "none" }));
    const args = ["run", "--no-check", "--no-lock", "--quiet", "--allow-all", "--config", config];
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args, `${ROOT}tools/temporal/run_file.ts`, folder, file],
      env: { DENO_NO_PACKAGE_JSON: "1", NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { stdout, stderr } = await command.output();
    const [line] = new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("REPORT ")).slice(-1);
    if (line !== undefined) return { scenarios: JSON.parse(line.slice(7)) };
    const why = new TextDecoder().decode(stderr).slice(-2000) || "no report: it ended early, or took too long";
    return { scenarios: [{ name: file, plain: why }] };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}
