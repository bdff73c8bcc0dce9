/**
 * What the tests of one module share.
 *
 * @module
 */

import { Browser } from "./browser.ts";

/** Starts what all tests of a module use; it is ended after the last one. */
export async function shared<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  Deno.test.afterAll(() => started[Symbol.asyncDispose]() as Promise<void>);
  return started;
}

/**
 * Starts the browser of a module. What the browser says is read all the time, so no test of such a module can tell its own
 * operations from those of the browser.
 */
export function sharedBrowser(): Promise<Browser> {
  Deno.test.sanitizer({ ops: false, resources: false });
  return shared(Browser.start());
}
