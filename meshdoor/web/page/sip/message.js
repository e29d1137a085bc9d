// SIP messages (RFC 3261 §7) as they come in WebSocket frames: one message a frame (RFC 7118 §5).

import { SipError, isToken, parseAddress, parseCSeq, parseVia, split } from "./grammar.js";

const MAX_MESSAGE = 65536; // characters
const MAX_HEADERS = 128;

const COMPACT = {
  c: "Content-Type", e: "Content-Encoding", f: "From", i: "Call-ID", k: "Supported",
  l: "Content-Length", m: "Contact", s: "Subject", t: "To", v: "Via",
};
const LISTS = new Set(["via", "route", "record-route", "contact", "require", "supported", "allow", "reason"]);
const REQUIRED = ["Via", "From", "To", "Call-ID", "CSeq"];

export class Headers {
  #list;

  constructor(list = []) {
    this.#list = list.map(([name, value]) => [name, String(value)]);
  }

  /** The first value, or undefined. */
  get(name) {
    return this.all(name)[0];
  }

  /** All values; those of a header that may be written as one list come one by one. */
  all(name) {
    const wanted = name.toLowerCase();
    const lines = this.#list.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
    return LISTS.has(wanted) ? lines.flatMap((line) => split(line, ",")).filter(Boolean) : lines;
  }

  /** Does a list such as Require or Supported have this token? */
  lists(name, token) {
    return this.all(name).some((each) => each.toLowerCase() === token.toLowerCase());
  }

  [Symbol.iterator]() {
    return this.#list[Symbol.iterator]();
  }
}

class Message {
  constructor(headers, body) {
    this.headers = headers instanceof Headers ? headers : new Headers(headers);
    this.body = body;
  }

  get callId() { return this.headers.get("Call-ID"); }
  get cseq() { return parseCSeq(this.headers.get("CSeq")); }
  get from() { return parseAddress(this.headers.get("From")); }
  get to() { return parseAddress(this.headers.get("To")); }
  get via() { return parseVia(this.headers.get("Via")); }

  toString() {
    const lines = [...this.headers].map(([name, value]) => `${name}: ${value}\r\n`);
    const length = new TextEncoder().encode(this.body).length;
    return `${this.start}\r\n${lines.join("")}Content-Length: ${length}\r\n\r\n${this.body}`;
  }
}

export class Request extends Message {
  constructor(method, uri, headers = [], body = "") {
    super(headers, body);
    this.method = method;
    this.uri = uri;
  }

  get start() { return `${this.method} ${this.uri} SIP/2.0`; }
}

export class Response extends Message {
  constructor(status, reason, headers = [], body = "") {
    super(headers, body);
    this.status = status;
    this.reason = reason;
  }

  get start() { return `SIP/2.0 ${this.status} ${this.reason}`; }
}

/** The message in a frame. Throws SipError for whatever is none. */
export function parse(text) {
  if (text.length > MAX_MESSAGE) throw new SipError("a message that is too long");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) throw new SipError("a message without an end of its headers");
  const [start, ...lines] = text.slice(0, end).replace(/\r\n[ \t]+/g, " ").split("\r\n");
  if (lines.length > MAX_HEADERS) throw new SipError("too many headers");
  const headers = new Headers(lines.map(headerOf).filter(([name]) => name !== "Content-Length"));
  const message = startOf(start, headers, text.slice(end + 4));
  check(message);
  return message;
}

function headerOf(line) {
  const at = line.indexOf(":");
  const name = line.slice(0, Math.max(at, 0)).trim();
  if (!isToken(name)) throw new SipError("a header without a name");
  const long = COMPACT[name.toLowerCase()] ?? name;
  return [long.toLowerCase() === "content-length" ? "Content-Length" : long, line.slice(at + 1).trim()];
}

function startOf(line, headers, body) {
  const response = /^SIP\/2\.0 ([1-6]\d\d) ?(.*)$/i.exec(line);
  if (response) return new Response(Number(response[1]), response[2], headers, body);
  const request = /^(\S+) (\S+) SIP\/2\.0$/i.exec(line);
  if (!request || !isToken(request[1])) throw new SipError("neither a request nor a response");
  return new Request(request[1], request[2], headers, body);
}

function check(message) {
  for (const name of REQUIRED) {
    if (!message.headers.get(name)) throw new SipError(`a message without ${name}`);
  }
  const { method } = message.cseq;
  const { from, to, via } = message; // each throws for what it cannot read
  if (!from || !to || !via) throw new SipError("a message without its addresses");
  if (message instanceof Request && method !== message.method) throw new SipError("CSeq is of another method");
}

const PHRASES = {
  100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 400: "Bad Request", 403: "Forbidden",
  405: "Method Not Allowed", 420: "Bad Extension", 480: "Temporarily Unavailable",
  481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated",
  488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error", 603: "Decline",
};

/** The response to a request, with what it must copy (§8.2.6.2). */
export function respond(request, status, { tag, headers = [], body = "", reason } = {}) {
  const to = request.headers.get("To");
  const tagged = tag && !request.to.params.has("tag") ? `${to};tag=${tag}` : to;
  const copied = [
    ...request.headers.all("Via").map((value) => ["Via", value]),
    ...request.headers.all("Record-Route").map((value) => ["Record-Route", value]),
    ["From", request.headers.get("From")],
    ["To", tagged],
    ["Call-ID", request.callId],
    ["CSeq", request.headers.get("CSeq")],
  ];
  return new Response(status, reason ?? PHRASES[status] ?? "Response", [...copied, ...headers], body);
}
