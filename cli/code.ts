/**
 * The workflows that a module exports.
 *
 * @module
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyWorkflow } from "../options.ts";
import { show } from "../util/show.ts";
import { Failure, messageOf } from "./failure.ts";
import { reasonOf } from "./source.ts";

/**
 * Imports a module, and returns its workflows: the functions that it exports, by their names, and those in an object that it exports
 * as `workflows`.
 */
export async function importWorkflows(file: string | undefined, command: string): Promise<Record<string, AnyWorkflow>> {
  if (file === undefined) {
    throw new Failure(2, `${show(command)} needs --code FILE: the module that exports the workflows`);
  }
  const url = /^(file|https?|jsr|npm|data):/.test(file) ? file : pathToFileURL(resolve(file)).href;
  let module: Record<string, unknown>;
  try {
    module = await import(url);
  } catch (error) {
    throw new Failure(1, `Cannot import ${show(file)}: ${reasonOf(error)}`);
  }
  const workflows: Record<string, AnyWorkflow> = {};
  const add = (name: string, value: unknown) => {
    if (typeof value !== "function") return;
    workflows[name === "default" ? value.name || "default" : name] = value as AnyWorkflow;
    if (value.name !== "" && !Object.hasOwn(workflows, value.name)) workflows[value.name] = value as AnyWorkflow;
  };
  try {
    for (const [name, value] of Object.entries(module)) add(name, value);
    for (const [name, value] of Object.entries(Object(module.workflows))) add(name, value);
  } catch (error) {
    throw new Failure(1, `Cannot read the exports of ${show(file)}: ${messageOf(error)}`);
  }
  if (Object.keys(workflows).length === 0) {
    throw new Failure(1, `Cannot find a workflow in ${show(file)}: it exports no function, and no object "workflows"`);
  }
  return workflows;
}
