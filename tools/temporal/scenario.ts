/**
 * What a scenario says: which files of the samples it runs, what happens meanwhile, and how the workflow ends.
 *
 * @module
 */

/** A message at a time, in milliseconds of virtual time after the start. */
export interface Message {
  readonly atMs: number;
  readonly name: string;
  readonly args?: readonly unknown[] | undefined;
  /** The ID of the workflow that gets it, if it is not the one under test. */
  readonly id?: string | undefined;
}

/** A message with an answer. */
export interface Question extends Message {
  /** What the workflow must answer. */
  readonly answer?: unknown;
  /** A part of the message with which the workflow must refuse the update, or with which its handler must fail. */
  readonly refused?: string | undefined;
}

/** An activity of a scenario. */
export type Fake = (...args: never[]) => unknown;

/** One run of a workflow of the samples. It must say what is expected: see {@linkcode expectsSomething}. */
export interface Scenario {
  /** Names the scenario together with its first file and its workflow; it can be left out if there is one scenario of the two. */
  readonly name?: string | undefined;
  /** The file that is loaded, and then the files with workflow code that it loads, relative to the checkout. */
  readonly files: readonly string[];
  /** The file whose `interceptors` the sample uses. */
  readonly interceptors?: string | undefined;
  /** The name of the workflow. */
  readonly workflow: string;
  readonly args?: readonly unknown[] | undefined;
  /** The activities. They stand in for those of the sample, which may need a network. */
  readonly activities?: Readonly<Record<string, Fake>> | undefined;
  readonly sinks?: Readonly<Record<string, Readonly<Record<string, Fake>>>> | undefined;
  readonly signals?: readonly Message[] | undefined;
  readonly updates?: readonly Question[] | undefined;
  readonly queries?: readonly Question[] | undefined;
  readonly cancelAtMs?: number | undefined;
  /** Further workflows of the scenario, written against the shim: they start those of the sample. */
  readonly drivers?: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> | undefined;
  /** What the workflow returns. */
  readonly result?: unknown;
  /** A part of the message of the error, or of one of its causes, if the workflow fails. */
  readonly fails?: string | undefined;
  /** Whether it may also succeed: it decides by a random number. */
  readonly maySucceed?: true | undefined;
  /** The workflow ends as cancelled. */
  readonly canceled?: true | undefined;
  /** The names of the activities and sinks that are called, in the order of the calls. Each attempt is a call. */
  readonly calls?: readonly string[] | undefined;
  /** How long it takes, in milliseconds of virtual time. */
  readonly tookMs?: number | undefined;
  /** What crash tests compare; see `crashTest`. */
  readonly compare?: "outcomes" | undefined;
}

/** Returns the name under which a scenario is reported. */
export function nameOf({ files, workflow, name }: Scenario): string {
  return `${files[0]}: ${workflow}${name === undefined ? "" : `, ${name}`}`;
}

/** Whether a scenario says more than that the workflow completes. */
export function expectsSomething(scenario: Scenario): boolean {
  const { result, fails, canceled, calls, tookMs, queries = [], updates = [] } = scenario;
  if (scenario.maySucceed) return true;
  const answers = [...queries, ...updates].some((question) => "answer" in question || question.refused !== undefined);
  return answers || [result, fails, canceled, calls, tookMs].some((expected) => expected !== undefined);
}
