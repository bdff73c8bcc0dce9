/** `kill -9` of a process that writes to Postgres: nothing that was acknowledged is lost or torn, and nothing recorded runs again. */

import { killRounds } from "../support/kill_rounds.ts";
import { openSchema } from "./clients.ts";

Deno.test("PostgresStore keeps everything that was acknowledged when its process is killed, and runs nothing recorded again", async () => {
  const schema = `killed_${crypto.randomUUID()}`;
  await killRounds("postgres", schema, () => openSchema(schema));
});
