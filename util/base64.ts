/**
 * Bytes as texts.
 *
 * @module
 */

// deno-lint-ignore no-explicit-any -- not every runtime has the methods
type Anything = any;

export function toBase64(bytes: Uint8Array): string {
  if ((bytes as Anything).toBase64) return (bytes as Anything).toBase64();
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    // a call takes a limited number of arguments
    binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000) as Anything);
  }
  return btoa(binary);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if ((Uint8Array as Anything).fromBase64) return (Uint8Array as Anything).fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
