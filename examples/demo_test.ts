import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../tests/support/temp_files.ts";
import config from "../deno.json" with { type: "json" };

/** Runs the demo with the command and the permissions of `deno task demo`. */
async function demo(...files: string[]): Promise<{ code: number; out: string; err: string }> {
  const [command, ...args] = config.tasks.demo.command.split(" ");
  assertEquals(command, "deno");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, ...files],
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}

/** The part of the output about one order. */
function sectionOf(out: string, id: string): string {
  const begin = out.indexOf(`━━ ${id} `);
  return out.slice(begin, out.indexOf("\n━━ ", begin));
}

Deno.test("demo runs the sample when no file is given", async () => {
  const { code, out, err } = await demo();
  assertEquals({ code, err }, { code: 0, err: "" });
  assertStringIncludes(out, "6 orders from examples/orders.json");
  const expected = {
    "RP-1001": [
      "completed  shipped as PT-POR-RP-1001, paid with pay-RP-1001",
      "really ran reserveStock 1, chargeCard 3, bookCarrier 1\n",
    ],
    "RP-1002": ["completed  shipped as SE-UPP-RP-1002", "reserveStock 1, chargeCard 3, bookCarrier 1\n"],
    "RP-1003": [
      "failed     NonRetryableError: Cannot charge EUR 3,300.00: the card expired in 01/26\n",
      "really ran reserveStock 1, chargeCard 1, voidPayment 1, releaseStock 1\n",
      'releaseStock in 120 ms: "3 pieces back on the shelf"',
    ],
    "RP-1004": [
      'canceled   CanceledError: Canceled workflow "RP-1004": moving abroad, the bed does not fit\n',
      "really ran reserveStock 1, chargeCard 3, voidPayment 1, releaseStock 1\n",
    ],
    "RP-1005": [
      "completed  refused by Mara: no walnut of that width before autumn\n",
      "really ran reserveStock 1, chargeCard 3, voidPayment 1, releaseStock 1\n",
    ],
    "RP-1006": [
      "══ executor stopped while chargeCard, attempt 3, was in flight ══",
      "══ recovered by a new executor ══",
      "completed  shipped as US-POR-RP-1006",
      // The attempt in flight ran again; recorded attempts did not.
      "really ran reserveStock 1, chargeCard 4 (3 recorded), bookCarrier 1\n",
    ],
  };
  for (const [id, texts] of Object.entries(expected)) {
    for (const text of texts) assertStringIncludes(sectionOf(`${out}\n`, id), text);
  }
  assertStringIncludes(out, "32 runs of activities, 31 with a recorded outcome; lost in the stop: 1.");
  assertStringIncludes(out, "Money was taken from 5 cards, from none twice, and given back to 2.");
});

Deno.test("demo runs a file when one is given", async () => {
  const { code, out, err } = await demo("examples/testdata/one_order.json");
  assertEquals({ code, err }, { code: 0, err: "" });
  assertMatch(out, /^1 order from examples\/testdata\/one_order\.json: /);
  assertStringIncludes(out, "resumed 1 of 1 order.");
  assertStringIncludes(out, "really ran reserveStock 1, chargeCard 4 (3 recorded), bookCarrier 1\n");
});

const FORMAT = "see examples/orders.json for the format";
const BROKEN: Record<string, [string, string]> = {
  "is absent": [
    "examples/testdata/absent.json",
    "there is no such file; pass the path of a JSON file, or none to see the sample",
  ],
  "is a directory": [
    "examples/testdata",
    "it is a directory; pass the path of a JSON file, or none to see the sample",
  ],
  "is not JSON": [
    "examples/testdata/not_json.txt",
    `it is not JSON from line 3, column 1 on: unexpected "]"; ${FORMAT}`,
  ],
  "has the wrong shape": [
    "examples/testdata/wrong_shape.json",
    `[0].items[0].quantity must be an integer from 1 to 1000, got "two"; ${FORMAT}`,
  ],
  "is something else altogether": [
    "deno.json",
    `the file must be a list with at least one entry, got an object; ${FORMAT}`,
  ],
  "is an empty list": [
    "examples/testdata/empty_list.json",
    `the file must be a list with at least one entry, got an empty list; ${FORMAT}`,
  ],
  "has an ID twice": [
    "examples/testdata/duplicate_ids.json",
    `[2].id must be unique, got "RP-1001" as in [0]; ${FORMAT}`,
  ],
};

for (const [how, [file, why]] of Object.entries(BROKEN)) {
  Deno.test(`demo says in one line what is wrong, and exits with 1, when the file ${how}`, async () => {
    assertEquals(await demo(file), { code: 1, out: "", err: `Cannot read orders from "${file}": ${why}\n` });
  });
}

Deno.test("demo exits with 1 when it is given two files", async () => {
  assertEquals(await demo("a.json", "b.json"), {
    code: 1,
    out: "",
    err: "Cannot run the demo with 2 arguments: it takes one file at most\n",
  });
});

Deno.test("demo --store kills a process, and the next one resumes its orders and runs nothing recorded again", async () => {
  await using folder = new TempFolder();
  const file = `${folder.path}/orders.db`;
  for (let time = 0; time < 2; time++) { // the second time the file has orders
    const { code, out, err } = await demo("--store", file);
    assertEquals({ code, err }, { code: 0, err: "" });
    const [, pid, order] = out.match(/^kill -9 (\d+), while (order-\d+): ship was running\.$/m)!;
    assertEquals(order, `order-${time * 5 + 3}`);
    const next = out.match(/^Process (\d+) opens /m)![1];
    assertMatch(out, new RegExp(`^  ${order} .* ${pid}, then ${next}  finished$`, "m"));
    assertEquals(out.match(/ finished$/gm)?.length, 5);
    assertMatch(out, /^[1-9]\d* calls of unfinished orders were recorded before the kill: 0 of them ran again\.$/m);
  }
});

Deno.test("demo --store says in one line what is wrong, and exits with 1, when the file is no database", async () => {
  const { code, err } = await demo("--store", "examples/orders.json");
  assertEquals(code, 1);
  assertMatch(err, /^Cannot open store "examples\/orders.json": the file is damaged, or no database; .*\n$/);
});

const USAGE =
  "pass the path of a JSON file with orders, --inspect and --port, --store and the path of an SQLite file, or nothing";
const MISUSED: [string[], string][] = [
  [["--inspect", "--prot"], `Cannot run the demo with the option --prot: ${USAGE}`],
  [["--inspect", "--port"], "Cannot run the demo with the port missing: want a number from 0 to 65535"],
  [["--inspect", "--port", "70000"], "Cannot run the demo with the port 70000: want a number from 0 to 65535"],
  [["--store"], `Cannot run the demo with 0 paths after --store: want one; ${USAGE}`],
  [["--stoer", "a.db"], `Cannot run the demo with the option --stoer: ${USAGE}`],
];

for (const [args, message] of MISUSED) {
  Deno.test(`demo exits with 1 when it is given ${args.join(" ")}`, async () => {
    assertEquals(await demo(...args), { code: 1, out: "", err: `${message}\n` });
  });
}

Deno.test("demo --inspect serves the inspector on loopback until it is interrupted", async () => {
  const [, ...args] = config.tasks.demo.command.split(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, "--inspect", "examples/testdata/one_order.json"],
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  let out = "";
  try {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += part;
      if (!out.includes("\n")) continue;
      const [, url] = out.match(/^The inspector shows 1 order: (http:\/\/127\.0\.0\.1:\d+\/) \(Ctrl-C ends it\)\n$/)!;
      // This process may not use the network.
      const program = `
        const list = await (await fetch(${JSON.stringify(url)})).text();
        const [, link] = /<a class="id"[^>]* href="([^"]+)"/.exec(list);
        const run = await (await fetch(new URL(link, ${JSON.stringify(url)}))).text();
        console.log(list.includes("RP-"), run.includes("chargeCard"));`;
      const fetching = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-config", program] }).output();
      child.kill("SIGINT");
      assertEquals(new TextDecoder().decode(fetching.stdout), "true true\n");
    }
    assertEquals((await child.status).signal, "SIGINT");
  } finally {
    try {
      child.kill("SIGKILL");
    } catch { // it has ended
    }
    await child.status;
  }
});
