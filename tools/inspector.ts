/**
 * Tests of the inspector in a real browser: `deno task inspector [TEST …]` runs the modules of `tests/inspector/`.
 *
 * `INSPECTOR_PICTURES=FOLDER` keeps a picture of each view in that folder, to be looked at.
 *
 * The browser is Debian's Chromium, and npm has what drives it. Where there is no browser, and nobody may install one, it says so in
 * one line, and fails only in CI.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { installBrowser, PACKAGES } from "../matrix/install.ts";
import { tryInstalled } from "./package/npm.ts";
import { chooseStd, withStd } from "./with_std.ts";

const FOLDER = fileURLToPath(new URL("../tests/inspector/", import.meta.url));
const TESTS = ["views", "hostile", "keyboard", "live", "actions", "mounts"];

/** What drives the browser, and the servers that the inspector is mounted in. */
const NEEDED = ["playwright-core", "hono", "miniflare", "node-24"] as const;

const unknown = Deno.args.filter((name) => !TESTS.includes(name));
if (unknown.length > 0) throw new RangeError(`Cannot run ${unknown}: want some of ${TESTS}`);
const names = Deno.args.length > 0 ? Deno.args : TESTS;

const browser = await installBrowser();
if (browser === undefined) leaveOut("There is no Chromium, and only root can install it");
const packages = Object.fromEntries(NEEDED.map((name) => [name, PACKAGES[name]]));
const modules = await tryInstalled(packages);
if (modules === undefined) leaveOut("npm does not answer, and so nothing drives the browser");

const command = withStd(await chooseStd(), "test", ["--no-check"]).filter((arg) => !/^--(doc|allow)/.test(arg));
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [...command, "--allow-all", ...names.map((name) => `${FOLDER}${name}.ts`)],
  env: { INSPECTOR_BROWSER: browser, INSPECTOR_MODULES: modules },
}).spawn().status;
Deno.exit(code);

function leaveOut(why: string): never {
  console.log(`${why}: left out`);
  Deno.exit(Deno.env.get("CI") ? 1 : 0);
}
