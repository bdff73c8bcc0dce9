/**
 * Ports for servers of tests and benches.
 *
 * @module
 */

/** Systems give the ports above to connections, and to servers that ask for any port: `ip_local_port_range` on Linux. */
const BELOW = 32_768;
const FROM = 16_384;

/**
 * Ports of this machine that nobody uses now. The system gives none of them to anybody by itself. So a server that ends, and begins
 * again, still finds its port.
 */
export function freePorts(count: number): number[] {
  const listeners: Deno.TcpListener[] = [];
  while (listeners.length < count) {
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port: FROM + Math.floor(Math.random() * (BELOW - FROM)) }));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  return listeners.map((listener) => {
    const { port } = listener.addr;
    listener.close();
    return port;
  });
}
