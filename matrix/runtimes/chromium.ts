/**
 * Chromium without a window: in a page, and in a worker of a page.
 *
 * @module
 */

import type { Build } from "../build.ts";
import { findBrowser, load, output } from "../install.ts";
import { type Outcome, performAll } from "../scenario.ts";
import type { Runtime } from "./runtime.ts";

/** For how long anything may take that takes a second on a machine with nothing else to do. */
const PATIENCE_MS = 120_000;

/** Makes `perform` a function of the page. */
const PAGE = `import "/page.js";`;

/** The same, and runs the cases in a worker. */
const WORKER = `
  const worker = new Worker("/web_worker.js", { type: "module" });
  globalThis.perform = (index, request) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage([index, request]);
  });`;

function chromium(name: string, script: string): Runtime {
  return {
    name,
    async version() {
      const browser = load("playwright-core") && await findBrowser();
      return browser && (await output(browser, "--version"))?.match(/[\d.]+/)?.[0];
    },
    async *run(build: Build) {
      const files: Record<string, string> = {};
      for (const entry of ["page", "web_worker"] as const) {
        files[`/${entry}.js`] = await Deno.readTextFile(await build.bundle(entry, true));
      }
      const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
        const { pathname } = new URL(request.url);
        if (pathname in files) return new Response(files[pathname], { headers: { "content-type": "text/javascript" } });
        const html = `<!doctype html><script type="module">${script}</script>`;
        return new Response(html, { headers: { "content-type": "text/html" } });
      });
      const browser = await load("playwright-core").chromium.launch({
        executablePath: await findBrowser(),
        timeout: PATIENCE_MS,
        args: ["--no-sandbox"], // root has none; only pages of this module are loaded
      });
      try {
        const page = await browser.newPage();
        page.setDefaultTimeout(PATIENCE_MS);
        await page.goto(`http://127.0.0.1:${server.addr.port}/`);
        await page.waitForFunction("globalThis.perform");
        yield* performAll((index, request): Promise<Outcome> => page.evaluate(`perform(${index}, ${request})`));
      } finally {
        await browser.close();
        await server.shutdown();
      }
    },
  };
}

export const chromiumPage: Runtime = chromium("Chromium (page)", PAGE);
export const chromiumWorker: Runtime = chromium("Chromium (worker)", WORKER);
