/**
 * What the tests of one module share, and the settings of a test that uses a browser.
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

/** Starts the browser of a module. */
export function sharedBrowser(): Promise<Browser> {
  return shared(Browser.start());
}

/** A test that uses the browser. What the browser says is read all the time, so it is no leak of the test. */
export function browserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}
