/** The command line as a program: exit codes, permissions, colours, pipes, and two processes on one SQLite file. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CliFiles } from "../tests/support/cli_runs.ts";

const program = new URL("mod.ts", import.meta.url).pathname;
const worker = new URL("../tests/support/cli_worker.ts", import.meta.url).pathname;

/** The arguments that run the command line in Deno. */
const denoArgs = (permissions: readonly string[], ...args: readonly string[]) => [
  "run",
  "--no-prompt",
  "--no-check",
  ...permissions,
  program,
  ...args,
];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function run(permissions: readonly string[], ...args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: denoArgs(permissions, ...args),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), error: decoder.decode(stderr) };
}

Deno.test("The command line reads with --allow-read alone, and ends with its exit code", async () => {
  await using files = await CliFiles.make();
  const read = ["--allow-read"];
  const listed = await run(read, "list", files.at("orders.db"));
  assertEquals([listed.code, listed.error, listed.out.split("\n").length], [0, "", 5]);
  for (const args of [["show", files.at("orders.snapshot"), "latest"], ["inspect", files.at("order-1.history")]]) {
    assertEquals((await run(read, ...args)).code, 0, args.join(" "));
  }
  const missing = await run(read, "show", files.at("orders.db"), "nobody");
  assertEquals([missing.code, missing.out, missing.error.trimEnd().split("\n").length], [1, "", 1]);
  assertEquals((await run(read, "lst")).code, 2);
});

Deno.test("The command line says which permission is missing, on one line", async () => {
  await using files = await CliFiles.make();
  const cases: [string[], string[]][] = [
    [[], ["list", files.at("orders.db")]],
    [["--allow-read"], ["signal", files.at("orders.db"), "order-2", "approval"]],
    [["--allow-read"], ["export", files.at("orders.db"), "order-2", "--as", "svg", "-o", files.at("x.svg")]],
    [["--allow-read"], ["list", "http://127.0.0.1:4571/"]],
  ];
  for (const [permissions, args] of cases) {
    const { code, out, error } = await run(permissions, ...args);
    assertEquals([code, out, error.trimEnd().split("\n").length], [1, "", 1], error);
    assertStringIncludes(error, "--allow-");
  }
});

/** Runs another program than Deno, by a process that may. */
async function output(program: string, args: readonly string[], env: Record<string, string> = {}) {
  const code = `const [program, ...args] = Deno.args;
    Deno.exit((await new Deno.Command(program, { args, stdin: "null" }).spawn().status).code);`;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", code, program, ...args], env });
  const { stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What a command writes to a terminal: `script` of Debian's bsdutils makes one. */
async function onTerminal(env: Record<string, string>, ...args: readonly string[]): Promise<string> {
  const quoted = [Deno.execPath(), ...denoArgs(["--allow-read"], ...args)].map((arg) => `'${arg}'`).join(" ");
  const wrapped = ["--quiet", "--return", "--command", `stty cols 100; ${quoted}`, "/dev/null"];
  return (await output("script", wrapped, { TERM: "xterm", ...env })).stdout;
}

Deno.test("The command line uses colours on a terminal, unless NO_COLOR is set, and is as wide as it", async () => {
  await using files = await CliFiles.make();
  const text = await onTerminal({}, "list", files.at("orders.db"));
  assertStringIncludes(text, "\x1b[31mfailed");
  // deno-lint-ignore no-control-regex -- that is what is removed
  const widths = text.trimEnd().split(/\r?\n/).map((line) => line.replace(/\x1b\[\d+m/g, "").length);
  assert(Math.max(...widths) <= 100 && Math.max(...widths) > 80, `${widths}`);
  const plain = await onTerminal({ NO_COLOR: "1" }, "list", files.at("orders.db"));
  assert(plain.includes("failed") && !plain.includes("\x1b["), plain);
});

Deno.test("The command line ends quietly when the reader of its pipe goes away", async () => {
  await using files = await CliFiles.make();
  const args = denoArgs(["--allow-read"], "export", files.at("orders.db"), "order-1", "--as", "json");
  const quoted = [Deno.execPath(), ...args].map((arg) => `'${arg}'`).join(" ");
  assertEquals(await output("bash", ["-c", `${quoted} | head -n 1`]), { stdout: "{\n", stderr: "" });
});

Deno.test("The command line ends with exit code 1 when its output cannot be written", async () => {
  await using files = await CliFiles.make();
  const args = ["export", files.at("orders.db"), "order-1", "--as", "json"];
  const deno = [Deno.execPath(), ...denoArgs(["--allow-read"], ...args)].map((arg) => `'${arg}'`).join(" ");
  const { stdout, stderr } = await output("bash", ["-c", `(${deno}) > /dev/full; echo "code $?"`]);
  assertEquals([stdout, stderr.trimEnd().split("\n").length], ["code 1\n", 1], stderr);
});

/** Reads the lines of a process, one after the other. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line that has a text in it; all lines until then are skipped. */
  async until(text: string): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        if (line.includes(text)) return line;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) throw new Error(`The output ended without ${text}`);
      this.#rest += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (!(await this.#reader.read()).done);
  }
}

Deno.test("The command line watches and signals a run of another process", async () => {
  await using files = await CliFiles.make();
  const db = files.at("orders.db");
  const start = (args: string[]) => new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const working = start(["run", "--allow-all", "--no-check", worker, db]);
  const watching = start(denoArgs(["--allow-read"], "watch", db, "order-2"));
  await using worked = new Lines(working.stdout);
  await using watched = new Lines(watching.stdout);
  try {
    await worked.until("working");
    await watched.until("timer started");
    const write = ["--allow-read", `--allow-write=${files.path}`];
    assertEquals(await run(write, "update", db, "order-2", "address", "Faro"), {
      code: 0,
      out: '"sent to Faro"\n',
      error: "",
    });
    await watched.until('update completed address  "sent to Faro"');
    assertEquals((await run(write, "signal", db, "order-2", "approval", "Ada")).code, 0);
    await watched.until('signal received approval  "Ada"');
    await watched.until('workflow completed  { paid: "charged 700", by: "Ada" }');
    assertEquals((await watching.status).code, 0);
  } finally {
    working.kill("SIGTERM");
    await working.status;
    try {
      watching.kill();
    } catch {
      // it has ended
    }
    await watching.status;
  }
});

/** Starts the command line, and kills it at the end. */
async function withProgram(
  args: readonly string[],
  body: (lines: Lines, child: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const flags = denoArgs(["--allow-read", "--allow-net=127.0.0.1"], ...args);
  const child = new Deno.Command(Deno.execPath(), { args: flags, stdout: "piped" }).spawn();
  await using lines = new Lines(child.stdout);
  try {
    await body(lines, child);
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await child.status;
  }
}

/** The status of an answer to a request under a host. */
async function statusFor(host: string, port: number): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
  const start = new Uint8Array(12);
  await connection.read(start);
  return new TextDecoder().decode(start).slice(-3);
}

Deno.test("The command line serves on loopback only, under its own hosts, until it is interrupted", async () => {
  await using files = await CliFiles.make();
  await withProgram(["serve", files.at("orders.db"), "--port", "0"], async (lines, child) => {
    const port = Number(/http:\/\/localhost:(\d+)/.exec(await lines.until("is shown at"))![1]);
    assertEquals(await statusFor(`localhost:${port}`, port), "200");
    assertEquals(await statusFor("evil.example", port), "403");
    child.kill("SIGINT");
    assertEquals((await child.status).code, 0);
  });
});

Deno.test("The command line serves no target that is another origin", async () => {
  await using files = await CliFiles.make();
  await withProgram(["serve", files.at("orders.db"), "--port", "0"], async (lines, child) => {
    const port = Number(/http:\/\/localhost:(\d+)/.exec(await lines.until("is shown at"))![1]);
    const answer = async (target: string) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const head = `POST ${target} HTTP/1.1\r\nhost: localhost:${port}\r\norigin: http://evil.example\r\n`;
      await connection.write(new TextEncoder().encode(`${head}connection: close\r\ncontent-length: 0\r\n\r\n`));
      return await new Response(connection.readable).text();
    };
    assertStringIncludes(await answer("//evil.example/?id=order-2&do=cancel"), "Cannot accept a POST from");
    assertStringIncludes(await answer("http://evil.example/?id=order-2&do=cancel"), "HTTP/1.1 400");
    child.kill("SIGINT");
    assertEquals((await child.status).code, 0);
  });
});

Deno.test("The command line ends watch by an interrupt, with exit code 0", async () => {
  await using files = await CliFiles.make();
  await withProgram(["watch", files.at("orders.db"), "order-2"], async (lines, child) => {
    await lines.until("timer started");
    child.kill("SIGINT");
    assertEquals((await child.status).code, 0);
  });
});
