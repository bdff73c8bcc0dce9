/** `PostgresStore`: the contract, alone and beside another instance. Run by `tools/postgres.ts`. */

import { testStore } from "@rockpool/workflow/testing";
import { clientName, openAgain, openStore } from "./clients.ts";

testStore(Deno.test, () => openStore(), {
  timeoutMs: 60_000, // each call waits for a server
  name: `PostgresStore on ${clientName}`,
  members: ["heads", "count", "loadSince", "deliver", "claim"],
  reopen: (store) => openAgain(store),
  connect: (store) => openAgain(store),
});
