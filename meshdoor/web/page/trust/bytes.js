// Bytes as text and back.

const encoder = new TextEncoder();

export const utf8 = (text) => encoder.encode(text);

export function concat(...parts) {
  const bytes = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  const whole = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of bytes) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Throws RangeError for what is not hexadecimal, or not of `size` bytes where that is given. */
export function fromHex(text, size) {
  if (typeof text !== "string" || !/^([0-9a-f]{2})*$/.test(text) || (size !== undefined && text.length !== 2 * size)) {
    throw new RangeError("not bytes in hexadecimal");
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** base64url without padding (RFC 4648 §5). Throws RangeError. */
export function fromBase64url(text, size) {
  if (!/^[\w-]*$/.test(text)) throw new RangeError("not base64url");
  let bytes;
  try {
    bytes = fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new RangeError("not base64url");
  }
  if (size !== undefined && bytes.length !== size) throw new RangeError("of another size than it should be");
  return bytes;
}

export const random = (size) => crypto.getRandomValues(new Uint8Array(size));

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}
