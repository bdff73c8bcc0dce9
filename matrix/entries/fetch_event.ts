/**
 * A script of an edge runtime: answers each `fetch` event.
 *
 * @module
 */

import worker from "./fetch.ts";

addEventListener("fetch", (event) => {
  const { request, respondWith } = event as Event & {
    request: Request;
    respondWith(response: Promise<Response>): void;
  };
  respondWith.call(event, worker.fetch(request));
});
