/** Payloads: values as texts, codecs of the user, escaped IDs. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WorkflowError } from "@rockpool/workflow";
import { escapeText, type PayloadCodec, Payloads, unescapeText } from "@rockpool/workflow/storage";

/** Stores texts backwards, as bytes. */
const backwards: PayloadCodec = {
  name: "backwards",
  encode: (text) => new TextEncoder().encode(text).reverse(),
  decode: (payload) => new TextDecoder().decode((payload as Uint8Array).toReversed()),
};
const slow: PayloadCodec = {
  name: "slow",
  encode: async (text) => await backwards.encode(text),
  decode: async (payload) => await backwards.decode(payload),
};
const value = { list: [1n, undefined, NaN], at: new Date(5), map: new Map([["k", "\ud83d\0"]]) };

const write = (payloads: Payloads, part: unknown = value) => payloads.write(part, "a");
const read = (payloads: Payloads, payload: unknown, codec = payloads.codec) =>
  payloads.read(payload as string, codec, "a");
/** Reads, and returns the rejection also if the call throws. */
const failure = async (payloads: Payloads, payload: unknown, codec?: string) => {
  const error = await assertRejects(async () => await read(payloads, payload, codec), WorkflowError);
  assertEquals(error.code, "invalid_history");
  return error.message;
};

Deno.test("Payloads.read() returns what write() was given", async () => {
  for (const codec of [undefined, backwards, slow]) {
    const payloads = new Payloads(codec);
    assertEquals(await read(payloads, await write(payloads)), value);
  }
});

Deno.test("Payloads.write() and read() return no promise when the codec returns none", () => {
  for (const codec of [undefined, backwards]) {
    const payloads = new Payloads(codec);
    assertEquals(read(payloads, write(payloads)), value);
  }
});

Deno.test("Payloads.read() returns new, frozen values", () => {
  const payloads = new Payloads();
  const payload = write(payloads);
  const [one, other] = [read(payloads, payload), read(payloads, payload)] as typeof value[];
  assert(one !== other && Object.isFrozen(one) && Object.isFrozen(one.list));
});

Deno.test("Payloads.write() refuses a value that cannot be written, with its path", () => {
  const message = 'Cannot write workflow "a": a Blob at files[0] cannot be written as text';
  assertThrows(() => write(new Payloads(), { files: [new Blob()] }), TypeError, message);
  const whole = 'Cannot write workflow "a": a Blob cannot be written as text';
  assertThrows(() => write(new Payloads(), new Blob()), TypeError, whole);
});

Deno.test("Payloads.write() refuses what a codec must not return", async () => {
  const wrong = { ...backwards, encode: () => 5 as never };
  const late = { ...backwards, encode: () => Promise.resolve(undefined as never) };
  const beginning = 'Cannot write workflow "a": the codec "backwards" is wrong: its method "encode" must return';
  assertThrows(() => write(new Payloads(wrong)), TypeError, `${beginning} a string or a Uint8Array, got 5`);
  await assertRejects(async () => await write(new Payloads(late)), TypeError, `${beginning} a string or a Uint8Array`);
});

Deno.test("Payloads.read() reads plain texts also with a codec", () => {
  assertEquals(read(new Payloads(backwards), write(new Payloads()), "json"), value);
});

Deno.test("Payloads.read() names the codec of a payload that it cannot read", async () => {
  assertEquals(
    await failure(new Payloads(), await write(new Payloads(slow)), "slow"),
    'Cannot read workflow "a": a stored payload was written by the codec "slow"; open the store with a "codec" of that name, ' +
      'not with "json"',
  );
});

Deno.test("Payloads.read() says that a payload is damaged", async () => {
  for (const payload of ["{", '{"$":"Nothing"}']) {
    const message = await failure(new Payloads(), payload);
    assert(message.startsWith('Cannot read workflow "a": a stored payload is damaged: '), message);
  }
});

Deno.test("Payloads.read() says that a codec cannot decode a payload", async () => {
  const refuse = () => {
    throw new Error("wrong key");
  };
  for (const decode of [refuse, () => Promise.reject(new Error("wrong key"))]) {
    assertEquals(
      await failure(new Payloads({ ...backwards, decode }), "x"),
      'Cannot read workflow "a": the codec "backwards" cannot decode a stored payload: wrong key',
    );
  }
  const wrong = new Payloads({ ...backwards, decode: () => 5 as never });
  assert((await failure(wrong, "x")).includes('the codec "backwards" cannot decode'), "a codec that returns no text");
});

Deno.test("new Payloads() refuses what is no codec", () => {
  const make = (codec: unknown) => () => new Payloads(codec as PayloadCodec);
  const beginning = "Cannot create a store: ";
  assertThrows(make(null), TypeError, `${beginning}"codec" must be an object, got null`);
  assertThrows(make({ ...backwards, name: "" }), TypeError, `${beginning}"codec.name" must be a non-empty string`);
  assertThrows(make({ name: "x" }), TypeError, `${beginning}"codec.encode" must be a function, got undefined`);
  assertThrows(make({ ...backwards, name: "json" }), TypeError, `"codec.name" must not be "json"`);
});

Deno.test("escapeText() returns a text without NUL and halves of pairs, and unescapeText() reads it", () => {
  for (const text of ["", "a/b", "\\", "\\u0000", "\0", "\ud83d", "\ude00", "\u{1f600}", "\ude00\ud83d", "a\\\0\\"]) {
    const escaped = escapeText(text);
    assert(!escaped.includes("\0") && escaped.isWellFormed(), escaped);
    assertEquals(unescapeText(escaped), text);
  }
  assertEquals(escapeText("order-7 \u00e9 \u{1f600}"), "order-7 \u00e9 \u{1f600}");
});

Deno.test("Payloads.readJoined() returns each value with its own references, and refuses a damaged one", async () => {
  const payloads = new Payloads();
  const twice = { a: 1 };
  const values = [[twice, twice], [[twice], twice]];
  const texts = values.map((part) => write(payloads, part));
  const found = payloads.readJoined(`[${texts}]`, "a") as unknown[][];
  assertEquals(found, values);
  assert(found[0][0] === found[0][1]);
  const error = await assertRejects(async () => await payloads.readJoined(`[${texts},[{]`, "a"), WorkflowError);
  assertEquals(error.code, "invalid_history");
  assert(error.message.startsWith('Cannot read workflow "a": a stored payload is damaged: '), error.message);
});
