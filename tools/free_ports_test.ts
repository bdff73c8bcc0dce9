import { assertEquals } from "@std/assert";
import { freePorts } from "./free_ports.ts";

Deno.test("freePorts() returns ports that are free, and that the system gives to nobody else", () => {
  const ports = freePorts(50);
  assertEquals(new Set(ports).size, 50);
  for (const port of ports) Deno.listen({ hostname: "127.0.0.1", port }).close();
  const range = "/proc/sys/net/ipv4/ip_local_port_range"; // only Linux has it
  const [from] = Deno.build.os === "linux" ? Deno.readTextFileSync(range).split(/\s+/).map(Number) : [65_536];
  assertEquals(ports.filter((port) => port >= from), []);
});
