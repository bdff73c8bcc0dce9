/** The stores that are opened and not constructed. In JavaScript, `new` compiles. */

import { assertThrows } from "@std/assert";
import { PostgresStore } from "@rockpool/workflow/postgres";
import { SqliteStore } from "@rockpool/workflow/sqlite";

const construct = (Store: unknown, argument: unknown) => () =>
  new (Store as new (argument: unknown) => unknown)(argument);

Deno.test("SqliteStore refuses new, and says how to open a store", () => {
  const text = "Cannot create a store by new: call await SqliteStore.open(path)";
  assertThrows(construct(SqliteStore, "orders.db"), TypeError, text);
});

Deno.test("PostgresStore refuses new, and says how to open a store", () => {
  const text = "Cannot create a store by new: call await PostgresStore.open(client)";
  assertThrows(construct(PostgresStore, { query: () => Promise.resolve([]) }), TypeError, text);
});
