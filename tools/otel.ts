/**
 * OpenTelemetry on real parts: Deno's built-in exporter, and the SDK in Node. What they send is received and decoded.
 *
 * The SDK is from npm. Where npm does not answer, it says so in one line, and fails only in CI.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { tryInstalled } from "./package/npm.ts";
import { chooseStd, withStd } from "./with_std.ts";

/** The newest SDK that works on Node 20. */
const modules = await tryInstalled({ "@opentelemetry/api": "1.10.0", "@opentelemetry/sdk-node": "0.223.0" });
if (modules === undefined) {
  console.log("npm does not answer, and so there is no SDK: left out");
  Deno.exit(Deno.env.get("CI") ? 1 : 0);
}
const command = withStd(await chooseStd(), "test", ["--no-check"]).filter((arg) => !/^--(doc|allow)/.test(arg));
const folder = fileURLToPath(new URL("../tests/otel/", import.meta.url));
const args = [...command, "--allow-all", `${folder}traces.ts`, `${folder}types.ts`, ...Deno.args];
const { code } = await new Deno.Command(Deno.execPath(), { args, env: { OTEL_MODULES: modules } }).spawn().status;
Deno.exit(code);
