/**
 * Tests on real Restate servers: what the server does by itself, and what the engine of this package makes of it.
 *
 * `deno task restate [TEST …]`: only these modules of `tests/restate/`. `deno task restate context --write` writes the table in
 * `docs/engines.md`.
 *
 * The server and its SDK are from npm. Where npm does not answer, it says so in one line, and fails only in CI.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { installPackages } from "./restate/server.ts";
import { chooseStd, withStd } from "./with_std.ts";

const FOLDER = fileURLToPath(new URL("../tests/restate/", import.meta.url));
const TESTS = ["plain", "context", "client", "faults", "examples", "kill"];

const modules = await installPackages();
if (modules === undefined) {
  console.log("npm does not answer, and so there is no Restate: left out");
  Deno.exit(Deno.env.get("CI") ? 1 : 0);
}
const write = Deno.args.includes("--write");
const given = Deno.args.filter((name) => name !== "--write");
const unknown = given.filter((name) => !TESTS.includes(name));
if (unknown.length > 0) throw new RangeError(`Cannot run ${unknown}: want some of ${TESTS}`);
const names = given.length > 0 ? given : TESTS;
const command = withStd(await chooseStd(), "test", ["--no-check"]).filter((arg) => !/^--(doc|allow)/.test(arg));
const args = [...command, "--allow-all", ...names.map((name) => `${FOLDER}${name}.ts`)];
const { code } = await new Deno.Command(Deno.execPath(), {
  args,
  env: { RESTATE_MODULES: modules, ...(write && { RESTATE_WRITE: "yes" }) },
}).spawn().status;
Deno.exit(code);
