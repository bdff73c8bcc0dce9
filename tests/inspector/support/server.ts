/**
 * An inspector on a port of this machine, with the runs of a scenario.
 *
 * @module
 */

import { InMemoryStore, type VirtualClock, type WorkflowStore } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { Scenario } from "./scenario.ts";

/** A server of web requests on loopback; ended by its `Symbol.asyncDispose`. */
export class Server implements AsyncDisposable {
  /** Where the inspector is. */
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param path Where the inspector is mounted. */
  constructor(handler: (request: Request) => Response | Promise<Response>, path = "/") {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
    this.url = `http://127.0.0.1:${this.#server.addr.port}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A scenario that was played, and an inspector of it. */
export class Inspected implements AsyncDisposable {
  readonly scenario: Scenario;
  readonly url: string;
  readonly #server: Server;

  private constructor(scenario: Scenario, options: Partial<InspectorOptions>) {
    this.scenario = scenario;
    const { store, executor, clock } = scenario;
    this.#server = new Server(inspector({ store, executor, now: () => clock.now(), ...options }));
    this.url = this.#server.url;
  }

  static async start(
    options: Partial<InspectorOptions> = {},
    makeStore: (clock: VirtualClock) => WorkflowStore = (clock) => new InMemoryStore({ clock }),
  ): Promise<Inspected> {
    const scenario = new Scenario(makeStore);
    await scenario.play();
    return new Inspected(scenario, options);
  }

  /** The address of a view. */
  at(query: Readonly<Record<string, string>>): string {
    return `${this.url}?${new URLSearchParams(query)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await this.scenario.executor.close();
  }
}
