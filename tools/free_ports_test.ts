import { assertEquals } from "@std/assert";
import { freePorts } from "./free_ports.ts";

Deno.test("freePorts() returns ports that are free, and that systems give to nobody by themselves", () => {
  const ports = freePorts(50);
  assertEquals(new Set(ports).size, 50);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
  assertEquals(ports.filter((port) => port >= 32_768), []); // Linux begins here, others higher
});
