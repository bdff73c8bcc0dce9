/**
 * A real browser for the tests of the inspector.
 *
 * `tools/inspector.ts` sets the environment: `INSPECTOR_BROWSER` is the program, `INSPECTOR_MODULES` the `node_modules` with
 * playwright-core, and `INSPECTOR_PICTURES` the folder for pictures, if somebody wants them.
 *
 * 1. Whatever a page complains about, and whatever it requests elsewhere, makes the test fail: {@linkcode Visit} collects it.
 * 2. The browser reaches nothing but the server of the test: every other request is refused before it leaves.
 *
 * @module
 */

import { createRequire } from "node:module";
import { assertEquals } from "@std/assert";

/** Loads a package of npm that the tests use. Its types are not there when this module is checked. */
// deno-lint-ignore no-explicit-any -- see above
export function load(name: string): any {
  return createRequire(`${Deno.env.get("INSPECTOR_MODULES")}/main.js`)(name);
}

/** For how long anything may take that takes a second on a machine with nothing else to do. */
const PATIENCE_MS = 120_000;

/** Waits until something is true, in this process. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !await condition();) {
    if (Date.now() > end) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How a page is looked at. */
export interface View {
  /** The width of the window. @default {1280} */
  readonly width?: number | undefined;
  /** The height of the window. @default {900} */
  readonly height?: number | undefined;
  /** What the system prefers. @default {"light"} */
  readonly theme?: "light" | "dark" | undefined;
  /** Whether the browser runs scripts. @default {true} */
  readonly scripts?: boolean | undefined;
  /** Whether the page may request something of another server of this machine. @default {false} */
  readonly elsewhere?: boolean | undefined;
}

/** The browser, started once for a module of tests; ended by its `Symbol.asyncDispose`. */
export class Browser implements AsyncDisposable {
  // deno-lint-ignore no-explicit-any -- a browser of playwright
  readonly #browser: any;

  // deno-lint-ignore no-explicit-any -- see above
  private constructor(browser: any) {
    this.#browser = browser;
  }

  static async start(): Promise<Browser> {
    const browser = await load("playwright-core").chromium.launch({
      executablePath: Deno.env.get("INSPECTOR_BROWSER"),
      timeout: PATIENCE_MS,
      args: [
        "--no-sandbox", // root has none; only pages of the tests are loaded
        "--host-resolver-rules=MAP *.test 127.0.0.1",
      ],
    });
    return new Browser(browser);
  }

  /** Opens a window of its own, without cookies and without anything stored. */
  async open(url: string, view: View = {}): Promise<Visit> {
    const { width = 1280, height = 900, theme = "light", scripts = true, elsewhere = false } = view;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      javaScriptEnabled: scripts,
      reducedMotion: "reduce",
      serviceWorkers: "block",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const visit = new Visit(context, await context.newPage(), elsewhere ? undefined : new URL(url).origin);
    await visit.begin();
    await visit.go(url);
    return visit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** A window on one page after another. */
export class Visit implements AsyncDisposable {
  /** Playwright's page. */
  // deno-lint-ignore no-explicit-any -- its types are not there when this module is checked
  readonly page: any;
  /** What went wrong by itself: errors, warnings, dialogs, requests elsewhere, violations of the policy. */
  readonly problems: string[] = [];
  // deno-lint-ignore no-explicit-any -- a context of playwright
  readonly #context: any;
  readonly #origin: string | undefined;

  // deno-lint-ignore no-explicit-any -- see above
  constructor(context: any, page: any, origin: string | undefined) {
    this.#context = context;
    this.page = page;
    this.#origin = origin;
  }

  async begin(): Promise<void> {
    const { page, problems } = this;
    // deno-lint-ignore no-explicit-any -- a message, a dialog, a route of playwright
    type Any = any;
    page.on("console", (message: Any) => {
      if (["error", "warning", "assert"].includes(message.type())) problems.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error: Error) => problems.push(`error: ${error.message}`));
    page.on("dialog", (dialog: Any) => {
      problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("popup", (popup: Any) => problems.push(`popup: ${popup.url()}`));
    page.on("requestfailed", (request: Any) => {
      const { errorText } = request.failure();
      // A page that is left ends its stream and what it was loading.
      if (errorText !== "net::ERR_ABORTED") problems.push(`request: ${request.url()} ${errorText}`);
    });
    await this.#context.route("**/*", (route: Any) => {
      const url = route.request().url();
      if (this.#origin === undefined || new URL(url).origin === this.#origin) return route.continue();
      problems.push(`request elsewhere: ${url}`);
      return route.abort();
    });
  }

  /** Goes to a page. */
  // deno-lint-ignore no-explicit-any -- a response of playwright
  go(url: string): Promise<any> {
    return this.page.goto(url, { waitUntil: "load" }); // not "networkidle": a stream is open
  }

  /** Returns what a function or an expression is in the page. */
  run<T = never>(body: string | (() => T)): Promise<T> {
    return this.page.evaluate(body);
  }

  /** Waits until an expression is true in the page. Playwright's own wait evaluates it where the policy of the page forbids that. */
  async until(expression: string): Promise<void> {
    let last: unknown;
    const isTrue = async () => {
      try {
        return Boolean(await this.page.evaluate(expression));
      } catch (error) {
        last = error; // the page is left just now, or has not what is asked for
        return false;
      }
    };
    await until(expression, isTrue).catch((error) => {
      throw new Error(error.message, { cause: last });
    });
  }

  /** Keeps a picture, if somebody wants pictures. */
  async picture(name: string, fullPage = false): Promise<void> {
    const folder = Deno.env.get("INSPECTOR_PICTURES");
    if (folder) await this.page.screenshot({ path: `${folder}/${name}.png`, fullPage });
  }

  /** Fails if something went wrong by itself. */
  assertQuiet(): void {
    assertEquals(this.problems, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}
