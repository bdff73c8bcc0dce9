/**
 * Errors that end a command with one line.
 *
 * @module
 */

/**
 * What a command cannot do, and its exit code: 1 if something was not found or a check failed, 2 for a wrong use, 130 if it was
 * interrupted.
 */
export class Failure extends Error {
  readonly exitCode: 1 | 2 | 130;

  constructor(exitCode: 1 | 2 | 130, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message of an error, on one line. */
export function messageOf(error: unknown): string {
  const { message } = Object(error) as { readonly message?: unknown };
  return (typeof message === "string" && message !== "" ? message : String(error)).replace(/\s*\n\s*/g, "; ");
}
