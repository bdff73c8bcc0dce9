/**
 * The approvals in a Cloudflare Worker without a Durable Object.
 *
 * A Worker stops everything that a request began when that request has been answered: its timers, and its promises. An executor
 * that two requests share would wait for ever for something of the first one. So each request has an executor of its own, which
 * resumes the runs of the store at module scope, and closes before the answer. A deadline is noticed by the next request.
 *
 * The platform may drop the isolate, with the store, at any time, and another request may reach another isolate. Use this to try
 * something out, and `approval_object.ts` for the rest.
 *
 * @module
 */

import { Executor, InMemoryStore } from "@rockpool/workflow";
import { approval, approvalsOf, handle } from "./approval.ts";

const store = new InMemoryStore();

export default {
  async fetch(request: Request): Promise<Response> {
    const executor = new Executor({ store, workflows: { approval } });
    try {
      await executor.recover();
      await new Promise((resolve) => setTimeout(resolve, 10)); // deadlines that have passed are noticed now
      return await handle(approvalsOf(executor), request);
    } finally {
      await executor.close();
    }
  },
};
