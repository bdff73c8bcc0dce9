/** The types of `@opentelemetry/api` fit those of `./otel`. `deno task otel` runs it. */

import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Type-checks a module that imports the API. Returns what the compiler says. */
async function check(source: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/map.json`, '{ "imports": { "api": "npm:@opentelemetry/api@1.10.0" } }');
    await Deno.writeTextFile(`${folder}/main.ts`, source.replaceAll('"otel"', JSON.stringify(`${ROOT}otel/mod.ts`)));
    const args = [
      "check",
      "--quiet",
      `--config=${ROOT}deno.json`,
      `--import-map=${folder}/map.json`,
      `${folder}/main.ts`,
    ];
    const { stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
    return new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("otel() takes the module @opentelemetry/api, its tracer and its meter", async () => {
  const said = await check(`
    import * as api from "api";
    import { otel } from "otel";
    otel({ api, tracer: api.trace.getTracer("mine"), meter: api.metrics.getMeter("mine") });
  `);
  assertEquals(said, "");
});

Deno.test("OtelApi does not take a module that is not the API", async () => {
  const said = await check(`import { otel } from "otel"; otel({ api: Math });`);
  assertEquals(said.includes("is missing the following properties from type 'OtelApi'"), true, said);
});
