import assert from "node:assert/strict";
import { test } from "node:test";

import {
  SipError, hostOf, parseAddress, parseCSeq, parseReason, parseVia, split,
} from "../../../meshdoor/web/page/sip/grammar.js";
import { Request, parse, respond } from "../../../meshdoor/web/page/sip/message.js";
import { invite } from "./sip-fakes.mjs";

test("a message comes back as it was written", () => {
  const text = invite();
  const message = parse(text);
  assert.equal(message.method, "INVITE");
  assert.equal(message.uri, "sip:phone@phone.home.arpa");
  assert.equal(message.body, "offer");
  assert.deepEqual(message.headers.all("via").length, 2);
  assert.equal(String(parse(String(message))), String(message));
});

test("compact names, folded lines and lists", () => {
  const message = parse(
    "SIP/2.0 200 OK\r\nv: SIP/2.0/WSS a;branch=1, SIP/2.0/WSS b;branch=2\r\nf: <sip:a@a>;tag=1\r\n" +
      "t: <sip:b@b>;tag=2\r\ni: x\r\nCSeq: 1\r\n\tINVITE\r\nl: 0\r\n\r\n",
  );
  assert.equal(message.status, 200);
  assert.equal(message.headers.all("Via").length, 2);
  assert.equal(message.callId, "x");
  assert.deepEqual(message.cseq, { number: 1, method: "INVITE" });
  assert.equal(message.headers.get("Content-Length"), undefined);
});

test("the length counts bytes", () => {
  const request = new Request("MESSAGE", "sip:a@b", [["Via", "SIP/2.0/WSS a"]], "Grüße");
  assert.match(String(request), /Content-Length: 7\r\n\r\nGrüße$/);
});

for (const [what, text] of [
  ["nothing", ""],
  ["a keep-alive", "\r\n\r\n"],
  ["no end", "INVITE sip:a SIP/2.0\r\n"],
  ["no Via", "INVITE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"],
  ["another method in CSeq", invite().replace("1 INVITE", "1 BYE")],
  ["a status that is none", "SIP/2.0 900 Hm\r\n\r\n"],
  ["a header without a name", invite({ headers: [": x"] })],
  ["a header that is no header", invite({ headers: ["nonsense"] })],
  ["an open quote", invite().replace(/From: .*/, 'From: "x')],
  ["too many headers", invite({ headers: Array(200).fill("X: y") })],
  ["too much", invite({ body: "x".repeat(70000) })],
]) {
  test(`no message: ${what}`, () => assert.throws(() => parse(text), SipError));
}

test("addresses", () => {
  const named = parseAddress('"Front, \\"Door\\"" <sip:door@x.home.arpa;lr>;tag=7;q="0.5"');
  assert.equal(named.name, 'Front, "Door"');
  assert.equal(named.uri, "sip:door@x.home.arpa;lr");
  assert.equal(named.params.get("tag"), "7");
  assert.equal(named.params.get("q"), "0.5");
  assert.equal(parseAddress("sip:a@b;tag=1").params.get("tag"), "1");
  for (const bad of ["", "<>", "<sip:a", "x <", ";tag=1"]) assert.throws(() => parseAddress(bad), SipError);
});

test("hosts of URIs", () => {
  assert.equal(hostOf("sip:door@AbCd.home.arpa;lr"), "abcd.home.arpa");
  assert.equal(hostOf("sips:x.home.arpa:5061"), "x.home.arpa");
  assert.equal(hostOf("sip:a@[fd00::1]:5060"), "[fd00::1]");
  assert.equal(hostOf("tel:112"), "");
});

test("Via, CSeq and Reason", () => {
  const via = parseVia("SIP/2.0/wss Host:1;branch=z9hG4bK1;rport");
  assert.deepEqual([via.transport, via.sentBy, via.params.get("branch")], ["WSS", "host:1", "z9hG4bK1"]);
  assert.throws(() => parseVia("HTTP/1.1 x"), SipError);
  for (const bad of ["INVITE", "1", "4294967296 BYE", "1 a b"]) assert.throws(() => parseCSeq(bad), SipError);
  assert.deepEqual(parseReason('SIP;cause=200;text="Call completed elsewhere"'), {
    protocol: "SIP", cause: 200, text: "Call completed elsewhere",
  });
  assert.equal(parseReason("Q.850").cause, 0);
});

test("separators in quotes and brackets do not separate", () => {
  assert.deepEqual(split('a,"b,c\\"",<d,e>,', ","), ["a", '"b,c\\""', "<d,e>", ""]);
  assert.throws(() => split("<a", ","), SipError);
});

test("a response copies what it must", () => {
  const request = parse(invite());
  const response = respond(request, 183, { tag: "mine", body: "x" });
  assert.deepEqual(response.headers.all("Via"), request.headers.all("Via"));
  assert.equal(response.headers.get("Record-Route"), "<sip:flow@proxy.home.arpa;lr>");
  assert.equal(response.to.params.get("tag"), "mine");
  assert.equal(respond(parse(invite({ to: "theirs" })), 200, { tag: "mine" }).to.params.get("tag"), "theirs");
});
