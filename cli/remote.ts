/**
 * The runs that an inspector shows, over HTTP.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { decode } from "../history/codec.ts";
import type { Wait } from "../options.ts";
import type { WorkflowFilter, WorkflowHead, WorkflowState } from "../types.ts";
import { show } from "../util/show.ts";
import { encodeId } from "../inspector/links.ts";
import { Failure, messageOf } from "./failure.ts";
import type { ListedRun, Source } from "./runs.ts";

/** How often a run is read again, if the inspector cannot report changes. */
const POLL_MS = 2_000;

/** One kind of action, and the fields of its form. */
export type RemoteAction = "signal" | "update" | "cancel" | "terminate";

interface RemoteRun {
  readonly state: unknown;
  readonly waitsFor?: readonly Wait[];
  readonly token?: string;
}

/** An address as a message shows it: without the user and the password, also if it is not valid. */
export function showUrl(url: string): string {
  return show(url.replace(URL.canParse(url) ? /^([^:]*:\/\/)[^/?#]*@/ : /^([^:]*:\/\/).*@/s, "$1"));
}

export class RemoteSource implements Source {
  readonly kind = "inspector";
  readonly name: string;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>> = {};

  constructor(name: string) {
    const refusal = `Cannot read ${showUrl(name)}`;
    try {
      this.#url = new URL(name);
    } catch {
      throw new Failure(2, `${refusal}: it is no URL`);
    }
    const { username, password } = this.#url;
    if (username !== "" || password !== "") {
      let user: string;
      try {
        user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      } catch {
        throw new Failure(2, `${refusal}: "%" in a name or password is "%25"`);
      }
      const bytes = new TextEncoder().encode(user);
      this.#headers = { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
      this.#url.username = this.#url.password = "";
    }
    this.#url.hash = "";
    this.#url.search = "";
    this.name = this.#url.href; // without the password
  }

  async list(filter: WorkflowFilter, limit: number): Promise<readonly ListedRun[]> {
    const runs: ListedRun[] = [];
    let cursor: string | undefined;
    do {
      const { status = [], workflowName, idPrefix, labels = {}, createdAfter } = filter;
      const query: [string, string][] = [
        ["json", "1"],
        ...[status].flat().map((one): [string, string] => ["status", one]),
        ...Object.entries(labels).map(([key, value]): [string, string] => ["label", `${key}=${value}`]),
      ];
      for (
        const [key, value] of Object.entries({ name: workflowName, prefix: idPrefix, after: createdAfter, cursor })
      ) {
        if (value !== undefined) query.push([key, String(value)]);
      }
      query.push(["limit", String(Math.min(limit - runs.length, 1000))]);
      const page = await this.#json(query, "rockpool-runs") as {
        readonly runs: readonly { head: unknown; waitsFor?: readonly Wait[]; history?: unknown }[];
        readonly cursor?: string;
      };
      for (const { head, waitsFor, history } of page.runs) {
        runs.push({
          head: decode(head, "read a run") as WorkflowHead,
          waitsFor,
          history: history === undefined ? undefined : decode(history, "read a run") as WorkflowState["history"],
        });
      }
      cursor = page.cursor;
    } while (cursor !== undefined && runs.length < limit);
    return runs;
  }

  async load(id: string): Promise<WorkflowState | null> {
    const run = await this.#run(id);
    return run === null ? null : decode(run.state, "read a run") as WorkflowState;
  }

  async waitsFor(id: string): Promise<readonly Wait[] | undefined> {
    return (await this.#run(id))?.waitsFor;
  }

  watch(id: string | undefined, changed: (id: string | null) => void): () => void {
    const abort = new AbortController();
    const url = this.#at([["events", "1"], ...id === undefined ? [] : [["id", encodeId(id)] as [string, string]]]);
    const wait = () =>
      new Promise<void>((resolve) => {
        const clear = systemClock.setTimer(systemClock.now() + POLL_MS, resolve);
        abort.signal.addEventListener("abort", () => (clear(), resolve()), { once: true });
      });
    const follow = async () => {
      while (!abort.signal.aborted) {
        try {
          const response = await fetch(url, { signal: abort.signal, headers: this.#headers });
          const reader = response.ok ? response.body?.getReader() : undefined;
          if (reader === undefined) await response.body?.cancel();
          for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader!.read()) {
            changed(null);
          }
        } catch {
          // the inspector is gone, or this watch has ended: the next read of the run says so
        }
        if (!abort.signal.aborted) await wait();
        if (!abort.signal.aborted) changed(null);
      }
    };
    void follow();
    return () => abort.abort();
  }

  /** Does something to a workflow, and returns the answer. */
  async act(action: RemoteAction, id: string, fields: Readonly<Record<string, string>>): Promise<unknown> {
    const run = await this.#run(id);
    if (run?.token === undefined) {
      throw new Failure(
        2,
        `Cannot ${action} ${show(id)}: the inspector at ${show(this.name)} only shows workflows (actions: false)`,
      );
    }
    const response = await this.#fetch(this.#at([["id", encodeId(id)], ["do", action]]), {
      method: "POST",
      redirect: "manual",
      headers: {
        accept: "application/json",
        origin: this.#url.origin,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: `${new URLSearchParams({ ...fields, token: run.token })}`,
    });
    let body: { readonly format?: unknown; readonly answer?: unknown; readonly error?: unknown } = {};
    try {
      body = Object(JSON.parse(await response.text()));
    } catch {
      // said below
    }
    if (response.ok && body.format === "rockpool-outcome") return decode(body.answer, "read the answer");
    if (typeof body.error === "string") throw new Failure(1, body.error);
    throw new Failure(1, `Cannot ${action} ${show(id)}: the inspector answers ${response.status}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #run(id: string): Promise<RemoteRun | null> {
    return await this.#json([["json", "1"], ["id", encodeId(id)]], "rockpool-run", true) as RemoteRun | null;
  }

  async #json(query: readonly [string, string][], format: string, mayBeMissing = false): Promise<unknown> {
    const response = await this.#fetch(this.#at(query));
    const text = await response.text();
    if (mayBeMissing && response.status === 404) return null;
    let body: { readonly format?: unknown } = {};
    try {
      body = Object(JSON.parse(text));
    } catch {
      // said below
    }
    if (response.ok && body.format === format) return body;
    const why = response.ok ? "it is no inspector, or one of another release" : `it answers ${response.status}`;
    throw new Failure(1, `Cannot read ${show(this.name)}: ${why}`);
  }

  async #fetch(
    url: string,
    init: Omit<RequestInit, "headers"> & { readonly headers?: Record<string, string> } = {},
  ): Promise<Response> {
    try {
      return await fetch(url, { ...init, headers: { ...this.#headers, ...init.headers } });
    } catch (error) {
      const { name, cause = error } = error as Error;
      const why = name === "NotCapable" ? "Deno was started without --allow-net" : messageOf(cause);
      throw new Failure(1, `Cannot reach ${show(this.name)}: ${why}`);
    }
  }

  #at(query: readonly [string, string][]): string {
    const url = new URL(this.#url);
    for (const [key, value] of query) url.searchParams.append(key, value);
    return url.href;
  }
}
