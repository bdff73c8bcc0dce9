/** `kill -9` of a process that writes to Postgres: nothing that was acknowledged is lost or torn, and nothing recorded runs again. */

import { killRounds } from "../support/kill_rounds.ts";
import { openSchema } from "./clients.ts";

Deno.test("PostgresStore keeps everything that was acknowledged when its process is killed, and runs nothing recorded again", async () => {
  const places = ["a", "b"].map((name) => `killed_${name}_${crypto.randomUUID()}`);
  const program = new URL("load.ts", import.meta.url);
  await killRounds({ program, places, open: (schema) => openSchema(schema), rounds: 20 });
});
