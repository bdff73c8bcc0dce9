/**
 * Serves the inspector on the runs of the demo's story, until the process is interrupted.
 *
 * @module
 */

import { inspector } from "@rockpool/workflow/inspector";
import type { Story } from "./story.ts";

/** The inspector cannot be served. */
export class InspectError extends Error {
  override readonly name = "InspectError";
}

/**
 * Serves the inspector on this machine only.
 *
 * @param story The story that was played.
 * @param port The port; `0` for a free one.
 * @param listening Is called with the address.
 * @throws {InspectError} If the port is in use or may not be used.
 */
export async function inspectStory(
  { store, clock }: Story,
  port: number,
  listening: (url: string) => void,
): Promise<void> {
  const inspect = inspector({ store, live: false, now: () => clock.now() }); // the story is over: nothing changes any more
  const hostname = "127.0.0.1";
  let server;
  try {
    server = Deno.serve({ hostname, port, onListen: ({ port }) => listening(`http://${hostname}:${port}/`) }, inspect);
  } catch (error) {
    const why = error instanceof Deno.errors.AddrInUse ? "it is in use" : (error as Error).message;
    throw new InspectError(`Cannot serve the inspector on port ${port}: ${why}; pass --port and another one`);
  }
  await server.finished;
}
