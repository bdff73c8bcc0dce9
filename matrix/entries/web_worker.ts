/**
 * A worker of a page: answers each message with an outcome.
 *
 * @module
 */

import { perform } from "../scenario.ts";

addEventListener("message", async (event) => {
  const [index, request] = (event as MessageEvent<[number, number]>).data;
  (globalThis as unknown as { postMessage(message: unknown): void }).postMessage(await perform(index, request));
});
