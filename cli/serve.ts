/**
 * `serve`: the inspector on this machine.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { platform } from "node:process";
import { Executor } from "../executor.ts";
import { inspector } from "../inspector/mod.ts";
import { show } from "../util/show.ts";
import { importWorkflows } from "./code.ts";
import { Failure, messageOf } from "./failure.ts";
import { type Flags, readNumber } from "./options.ts";
import type { Printer } from "./print.ts";
import type { Source } from "./runs.ts";

const HOST = "127.0.0.1";

export async function serve(source: Source, flags: Flags, printer: Printer): Promise<number> {
  const { store } = source;
  if (store === undefined) throw new Failure(2, `Cannot serve ${show(source.name)}: it is an inspector already`);
  if (flags.actions && source.kind !== "sqlite") {
    throw new Failure(2, `Cannot serve ${show(source.name)} with --actions: a ${source.kind} does not change`);
  }
  const port = readNumber("port", flags.port, 4570, 0, 65_535);
  const workflows = flags.code === undefined ? {} : await importWorkflows(flags.code, "serve");
  const executor = new Executor({ store, workflows });
  const handle = inspector({
    store,
    executor,
    actions: flags.actions === true,
    hosts: ["localhost", HOST],
    live: source.kind === "sqlite", // any other file was read once
    title: source.name,
  });
  const server = createServer((request, response) => void answer(handle, request, response));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: Error & { readonly code?: string }) => {
        const why = error.code === "EADDRINUSE"
          ? "the port is in use; choose another one with --port"
          : messageOf(error);
        reject(new Failure(1, `Cannot listen on port ${port}: ${why}`));
      });
      server.listen(port, HOST, resolve);
    });
    const address = server.address();
    const url = `http://localhost:${typeof address === "object" ? address?.port : port}/`;
    printer.line(`${source.name} is shown at ${url}${flags.actions ? "" : ", read-only"}; Ctrl+C ends it`);
    if (flags.open) openBrowser(url, printer);
    await new Promise<void>((resolve) => {
      const { signal } = printer.io;
      if (signal?.aborted) resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    return 0;
  } finally {
    server.close();
    server.closeAllConnections?.();
    await executor.close();
  }
}

/** Answers a request of `node:http`. */
async function answer(
  handle: (request: Request) => Promise<Response>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const headers = new Headers();
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
    }
    const { method = "GET" } = request;
    const hasBody = method !== "GET" && method !== "HEAD";
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    if (hasBody) {
      for await (const part of request) {
        size += part.length;
        if (size > 10_000_000) throw new Error("The body is too large");
        parts.push(new Uint8Array(part));
      }
    }
    // Joined, not resolved: "//evil.example/" is a path here, whose origin a page could have.
    const { url: path = "/", headers: { host = HOST } } = request;
    if (!path.startsWith("/")) throw new Error("The target is no path");
    const url = new URL(`http://${host}${path}`);
    const answered = await handle(new Request(url, { method, headers, ...(hasBody && { body: new Blob(parts) }) }));
    response.writeHead(answered.status, Object.fromEntries(answered.headers));
    const reader = answered.body?.getReader();
    response.once("close", () => void reader?.cancel().catch(() => {}));
    for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader!.read()) {
      response.write(part.value);
    }
    response.end();
  } catch {
    if (!response.headersSent) response.writeHead(400);
    response.end();
  }
}

function openBrowser(url: string, printer: Printer): void {
  const [program, ...args] = platform === "darwin"
    ? ["open", url]
    : platform === "win32"
    ? ["cmd", "/c", "start", "", url]
    : ["xdg-open", url];
  try {
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    child.once("error", (error) => printer.error(`Cannot open a browser: ${messageOf(error)}`));
    child.unref();
  } catch (error) {
    printer.error(`Cannot open a browser: ${messageOf(error)}`);
  }
}
