/** The servers of these tests: what becomes of a port that another process has taken. Run by `tools/postgres.ts`. */

import { assertEquals, assertRejects } from "@std/assert";
import { freePorts } from "../../tools/free_ports.ts";
import { startBouncer } from "../../tools/postgres/bouncer.ts";
import { PostgresServer, type Release } from "../../tools/postgres/server.ts";
import { connect, url } from "./clients.ts";

const release: Release = { id: "debian", name: "the tested release", bin: Deno.env.get("POSTGRES_BIN")! };

/** Chooses a port that another process takes at once, then a free one. */
function choosing(taken: Deno.TcpListener): { choose: (count: number) => number[]; asked: () => number } {
  let asked = 0;
  return { choose: (count) => asked++ === 0 ? [taken.addr.port] : freePorts(count), asked: () => asked };
}
const take = () => Deno.listen({ hostname: "127.0.0.1", port: 0 });

Deno.test("PostgresServer.start() takes another port when another process has taken the first", async () => {
  using taken = take();
  const { choose, asked } = choosing(taken);
  await using server = await PostgresServer.start(release, {}, choose);
  await using connection = await connect({ url: server.url });
  assertEquals([await connection.sql("SELECT 1 AS one"), asked()], [[1], 2]);
});

Deno.test("PostgresServer.start() says what the server has printed when it never gets a port", async () => {
  using taken = take();
  await assertRejects(
    () => PostgresServer.start(release, {}, () => [taken.addr.port]),
    Error,
    "could not create any TCP/IP sockets",
  );
});

Deno.test("startBouncer() takes another port when another process has taken the first", async () => {
  using taken = take();
  const { choose, asked } = choosing(taken);
  await using bouncer = await startBouncer(Number(new URL(url).port), choose);
  if (bouncer === undefined) return; // it cannot be had here
  await using connection = await connect({ url: bouncer.url, name: "pg" });
  assertEquals([await connection.sql("SELECT 1 AS one"), asked()], [[1], 2]);
});
