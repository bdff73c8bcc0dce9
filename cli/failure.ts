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

/** The message of an error, on one line. If a store failed, the reason: what an executor advises is not for a command. */
export function messageOf(error: unknown): string {
  const { message, code, cause } = Object(error) as Readonly<Record<"message" | "code" | "cause", unknown>>;
  if (code === "store_failed" && cause !== undefined) return messageOf(cause);
  return (typeof message === "string" && message !== "" ? message : String(error)).replace(/\s*\n\s*/g, "; ");
}
