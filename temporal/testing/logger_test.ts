import { assert, assertEquals } from "@std/assert";
import {
  Connection,
  DefaultLogger,
  type LogEntry,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
} from "./mod.ts";

Deno.test("DefaultLogger.log() leaves out what is below its level", () => {
  const entries: LogEntry[] = [];
  const logger = new DefaultLogger("WARN", (entry) => entries.push(entry));
  logger.info("no");
  logger.warn("yes", { n: 1 });
  logger.error("yes, too");
  assertEquals(entries.map(({ level, message, meta }) => [level, message, meta]), [
    ["WARN", "yes", { n: 1 }],
    ["ERROR", "yes, too", undefined],
  ]);
});

Deno.test("Runtime.install() replaces the logger", () => {
  const logger = new DefaultLogger("ERROR");
  Runtime.install({ logger });
  assertEquals(Runtime.instance().logger, logger);
  Runtime.install({});
});

Deno.test("Connection.connect() needs no server", async () => {
  const connection = await Connection.connect({ address: "nowhere:1" });
  assertEquals(await connection.withDeadline(1, () => Promise.resolve("called")), "called");
  assert(await NativeConnection.connect() instanceof Connection);
  await connection.close();
});

Deno.test("makeTelemetryFilterString() returns a text", () => {
  assertEquals(makeTelemetryFilterString({ core: "WARN" }), "ERROR,temporal_sdk_core=WARN");
});
