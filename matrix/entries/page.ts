/**
 * A script of a page: makes `perform` a global function.
 *
 * @module
 */

import { perform } from "../scenario.ts";

Object.assign(globalThis, { perform });
