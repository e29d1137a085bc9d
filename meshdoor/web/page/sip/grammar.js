// The small part of the grammar of SIP (RFC 3261 §25) that a phone needs. Whatever breaks it throws SipError.

export class SipError extends Error {}

const TOKEN = /^[!%'*+\-.0-9A-Z_`a-z~]+$/;

export function isToken(text) {
  return TOKEN.test(text);
}

/** Split at a separator that stands outside of quotes and angle brackets. */
export function split(text, separator) {
  const parts = [];
  let start = 0;
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (quoted) {
      if (char === "\\") i += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "<") depth += 1;
    else if (char === ">") depth -= 1;
    else if (char === separator && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  if (quoted || depth !== 0) throw new SipError("unbalanced quotes or brackets");
  parts.push(text.slice(start).trim());
  return parts;
}

/** `a=1;b="x y";c` as a Map; names in lower case, quotes taken off. */
export function parseParams(parts) {
  const params = new Map();
  for (const part of parts) {
    if (!part) continue;
    const at = part.indexOf("=");
    const name = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase();
    params.set(name, at < 0 ? "" : unquote(part.slice(at + 1).trim()));
  }
  return params;
}

export function unquote(text) {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
}

/** A From, To, Contact or Route value: {name, uri, params}. */
export function parseAddress(text) {
  const open = text.lastIndexOf("<");
  if (open < 0) {
    const [uri, ...params] = split(text, ";");
    if (!uri) throw new SipError("an address without a URI");
    return { name: "", uri, params: parseParams(params) };
  }
  const close = text.indexOf(">", open);
  if (close <= open + 1) throw new SipError("an address without a URI");
  return {
    name: unquote(text.slice(0, open).trim()),
    uri: text.slice(open + 1, close).trim(),
    params: parseParams(split(text.slice(close + 1), ";")),
  };
}

/** A Via value: {transport, sentBy, params} (§20.42). */
export function parseVia(text) {
  const [head, ...params] = split(text, ";");
  const match = /^SIP\s*\/\s*2\.0\s*\/\s*(\S+)\s+(\S.*)$/i.exec(head);
  if (!match) throw new SipError("not a Via");
  return { transport: match[1].toUpperCase(), sentBy: match[2].toLowerCase(), params: parseParams(params) };
}

/** A CSeq value: {number, method} (§20.16). */
export function parseCSeq(text) {
  const match = /^(\d{1,10})\s+(\S+)$/.exec(text);
  if (!match || Number(match[1]) >= 2 ** 31 || !isToken(match[2])) throw new SipError("not a CSeq");
  return { number: Number(match[1]), method: match[2] };
}

/** A Reason value (RFC 3326): {protocol, cause, text}; cause is 0 where there is none. */
export function parseReason(text) {
  const [protocol, ...rest] = split(text, ";");
  const params = parseParams(rest);
  return { protocol: protocol.toUpperCase(), cause: Number(params.get("cause")) || 0, text: params.get("text") ?? "" };
}

/** The host of a sip or sips URI, in lower case; "" for what is none. */
export function hostOf(uri) {
  const match = /^sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;?]+)/i.exec(uri);
  return match ? match[1].toLowerCase() : "";
}
