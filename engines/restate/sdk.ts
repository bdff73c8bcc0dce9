/**
 * What this engine uses of Restate's SDK for TypeScript (`@restatedev/restate-sdk`), as types of its own: the SDK is an argument,
 * and the package has no dependency.
 *
 * @module
 */

/**
 * A promise of Restate. Only the pump waits for one.
 *
 * @internal
 */
export interface RestatePromise<T> extends PromiseLike<T> {
  map<U>(mapper: (value?: T, failure?: Error) => U): RestatePromise<U>;
}

/**
 * The context of a handler, as far as it is used here.
 *
 * @internal
 */
export interface RestateContext {
  readonly key: string;
  readonly rand: { uuidv4(): string };
  readonly date: { now(): Promise<number> };
  readonly console: Pick<Console, "debug" | "info" | "warn" | "error">;
  request(): { readonly attemptCompletedSignal: AbortSignal };
  /** Resolves when somebody cancels the invocation, if the service has the option `explicitCancellation`. */
  cancellation(): RestatePromise<void>;
  run<T>(name: string, action: () => Promise<T>): RestatePromise<T>;
  sleep(ms: number): RestatePromise<void>;
  signal<T>(name: string): RestatePromise<T>;
  invocation(id: never): {
    signal<T>(name: string): { resolve(payload?: T): void };
    attach<T>(): RestatePromise<T>;
  };
  promise<T>(name: string): {
    get(): RestatePromise<T>;
    resolve(value?: T): RestatePromise<void>;
  };
  get<T>(name: string): Promise<T | null>;
  stateKeys(): Promise<string[]>;
  set<T>(name: string, value: T): void;
  clearAll(): void;
  genericCall<In, Out>(call: GenericCall<In>): RestatePromise<Out>;
  genericSend<In>(call: GenericCall<In>): { readonly invocationId: Promise<string> };
}

/**
 * A call of another handler.
 *
 * @internal
 */
export interface GenericCall<In> {
  readonly service: string;
  readonly method: string;
  readonly key: string;
  readonly parameter: In;
  readonly inputSerde: Serde;
  readonly outputSerde: Serde;
}

/**
 * Makes a call of a handler.
 *
 * @internal
 */
export function callOf<In>(service: string, key: string, method: string, parameter: In, json: Serde): GenericCall<In> {
  return { service, method, key, parameter, inputSerde: json, outputSerde: json };
}

/**
 * How values become bytes.
 *
 * @internal
 */
export interface Serde {
  readonly contentType?: string;
  // deno-lint-ignore no-explicit-any -- the SDK's own type
  serialize(value: any): Uint8Array;
  // deno-lint-ignore no-explicit-any -- the SDK's own type
  deserialize(data: Uint8Array): any;
}

/** A handler, as it is given to the SDK. */
type Handler = (context: never, input: never) => Promise<unknown>;

/**
 * The module `@restatedev/restate-sdk`, or its entry `@restatedev/restate-sdk/fetch`: what {@linkcode restateServices} uses of it.
 *
 * @category Restate
 */
export interface RestateSdk {
  /** Defines a virtual object. */
  // deno-lint-ignore no-explicit-any -- the SDK infers a type from the handlers
  readonly object: (definition: any) => unknown;
  /** Defines a workflow of Restate. */
  // deno-lint-ignore no-explicit-any -- the SDK infers a type from the handlers
  readonly workflow: (definition: any) => unknown;
  /** Says how a handler is called: beside others of its object. */
  readonly handlers: {
    // deno-lint-ignore no-explicit-any -- the SDK infers a type from the handler
    readonly object: { shared(handler: any): any; exclusive(options: any, handler: any): any };
    // deno-lint-ignore no-explicit-any -- the SDK infers a type from the handler
    readonly workflow: { workflow(options: any, handler: any): any };
  };
  /** Waits for the first of several promises of Restate, or for all. */
  readonly RestatePromise: {
    // deno-lint-ignore no-explicit-any -- the SDK infers a type from the promises
    race(promises: any): any;
    // deno-lint-ignore no-explicit-any -- the SDK infers a type from the promises
    all(promises: any): any;
  };
  /** The error that ends an invocation: Restate does not try again. */
  // deno-lint-ignore no-explicit-any -- its parameters are the SDK's own
  readonly TerminalError: new (message: string, options?: any) => Error;
  /** Writes values as JSON. */
  readonly serde: { readonly json: Serde };
}

/**
 * Handlers by name.
 *
 * @internal
 */
export type Handlers = Readonly<Record<string, Handler>>;
