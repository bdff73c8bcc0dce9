/**
 * Ports for servers of tests and benches.
 *
 * @module
 */

/** Ports of this machine that nobody uses now. */
export function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  return listeners.map((listener) => {
    const { port } = listener.addr;
    listener.close();
    return port;
  });
}
