// @ts-ignore -- main.ts installs it
import { test, vi } from "vitest";
import { sleep } from "./sleep.mjs";

test("a sleep of 30 days", () => sleep(() => vi.useFakeTimers(), (ms) => vi.advanceTimersByTimeAsync(ms)));
