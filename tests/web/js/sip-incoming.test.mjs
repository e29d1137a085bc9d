import assert from "node:assert/strict";
import { test } from "node:test";

import { isElsewhere } from "../../../meshdoor/web/page/sip/session.js";
import { brief, couple, invite, lone } from "./sip-fakes.mjs";

const ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"';

function rung(headers) {
  const end = lone();
  end.agent.received(invite({ headers }));
  const [call] = end.heard;
  const ended = [];
  call.on("ended", (detail) => ended.push(detail));
  const tag = call.tag;
  const next = (method, cseq, extra = {}) =>
    end.agent.received(invite({ method, cseq, to: tag, body: "", branch: `z9hG4bK${method}${cseq}`, ...extra }));
  return { ...end, call, ended, tag, next };
}

test("early media, an answer, a BYE of the door", () => {
  const { call, said, next, ended, clock } = rung();
  call.progress(183, "answer");
  call.accept("answer");
  assert.deepEqual(said(), ["183 INVITE", "200 INVITE"]);
  next("ACK", 1);
  clock.advance(60000);
  assert.deepEqual(said(), []);
  next("BYE", 2);
  assert.deepEqual(said(), ["200 BYE"]);
  assert.deepEqual(ended, [{ why: "bye", status: 0, reasons: [], remote: true }]);
});

test("responses go back as they must", () => {
  const { call, take, tag } = rung();
  call.progress(183, "answer");
  const [early] = take();
  assert.equal(early.headers.get("Contact"), "<sip:phone@phone.home.arpa>");
  assert.equal(early.headers.get("Content-Type"), "application/sdp");
  assert.equal(early.to.params.get("tag"), tag);
  assert.equal(early.headers.get("Record-Route"), "<sip:flow@proxy.home.arpa;lr>");
  assert.equal(early.body, "answer");
});

test("answered elsewhere", () => {
  const { call, said, next, ended, agent } = rung();
  call.progress(183, "answer");
  said();
  agent.received(invite({ method: "CANCEL", headers: [ELSEWHERE], body: "" }));
  assert.deepEqual(said(), ["200 CANCEL", "487 INVITE"]);
  agent.received(invite({ method: "ACK", to: "x", body: "" }));
  assert.equal(ended[0].why, "cancelled");
  assert.ok(isElsewhere(ended[0].reasons));
  assert.deepEqual(agent.calls, []);
  call.accept("too late");
  assert.deepEqual(said(), []);
  next("BYE", 3);
  assert.deepEqual(said(), ["481 BYE"]);
});

test("a CANCEL that is too late changes nothing", () => {
  const { call, said, ended, agent } = rung();
  call.accept("answer");
  agent.received(invite({ method: "CANCEL", body: "" }));
  assert.deepEqual(said(), ["200 INVITE", "200 CANCEL"]);
  assert.deepEqual(ended, []);
});

test("a CANCEL of nothing", () => {
  const { agent, said } = lone();
  agent.received(invite({ method: "CANCEL", body: "" }));
  assert.deepEqual(said(), ["481 CANCEL"]);
});

test("declined, for this phone alone", () => {
  const { call, said, ended, agent, clock } = rung();
  call.reject();
  call.hangup();
  assert.deepEqual(said(), ["603 INVITE"]);
  agent.received(invite()); // the INVITE again
  assert.deepEqual(said(), ["603 INVITE"]);
  agent.received(invite({ method: "ACK", body: "" }));
  assert.equal(clock.pending, 0);
  assert.deepEqual([ended[0].why, ended[0].status], ["rejected", 603]);
});

test("a final response without an ACK is forgotten after a while", () => {
  const { call, clock } = rung();
  call.reject(486);
  clock.advance(32000);
  assert.equal(clock.pending, 0);
});

test("a 200 is said again until its ACK, and then given up", () => {
  const { call, said, ended, clock } = rung();
  call.accept("answer");
  clock.advance(3500);
  assert.deepEqual(said(), Array(4).fill("200 INVITE"));
  clock.advance(32000);
  assert.equal(said().at(-1), "BYE");
  assert.equal(ended[0].why, "no ACK");
});

test("no BYE before the ACK", () => {
  const { call, said, next, ended, take } = rung();
  call.accept("answer");
  call.hangup();
  assert.deepEqual(said(), ["200 INVITE"]);
  next("ACK", 1);
  const [bye] = take();
  assert.equal(brief(bye), "BYE");
  assert.equal(bye.uri, "sip:door@door.home.arpa");
  assert.equal(bye.headers.get("Route"), "<sip:flow@proxy.home.arpa;lr>");
  assert.equal(ended[0].why, "hung up");
});

test("where it must be reliable, a PRACK comes before the answer", () => {
  const { call, take, next, said, clock } = rung(["Require: 100rel"]);
  call.progress(183, "answer");
  const [early] = take();
  assert.equal(early.headers.get("RSeq"), "1");
  assert.ok(early.headers.lists("Require", "100rel"));
  clock.advance(500);
  assert.deepEqual(said(), ["183 INVITE"]);
  call.accept("answer");
  assert.deepEqual(said(), []);
  next("PRACK", 2, { headers: ["RAck: 2 1 INVITE"] });
  assert.deepEqual(said(), ["481 PRACK"]);
  next("PRACK", 3, { headers: ["RAck: 1 1 INVITE"] });
  assert.deepEqual(said(), ["200 PRACK", "200 INVITE"]);
  next("ACK", 1);
  assert.equal(said().length, 0);
});

test("a reliable 183 that nobody confirms ends it", () => {
  const { call, said, clock, ended } = rung(["Require: 100rel"]);
  call.progress(183, "answer");
  clock.advance(40000);
  assert.equal(said().at(-1), "500 INVITE");
  assert.equal(ended[0].why, "rejected");
});

test("a BYE ends an early dialog", () => {
  const { call, said, next, ended } = rung();
  call.progress(183, "answer");
  said();
  next("BYE", 2);
  assert.deepEqual(said(), ["200 BYE", "487 INVITE"]);
  assert.equal(ended[0].why, "bye");
});

test("inside of a dialog", async () => {
  const { call, said, next, take } = rung();
  const heard = [];
  call.on("info", (detail) => heard.push(detail));
  call.on("message", (detail) => heard.push(detail));
  call.accept("answer");
  next("ACK", 1);
  said();
  next("INFO", 2, { body: "Signal=1", headers: ["Content-Type: application/dtmf-relay"] });
  next("MESSAGE", 3, { body: "hello", headers: ["Content-Type: text/plain"] });
  next("OPTIONS", 4);
  next("UPDATE", 5);
  next("NOTIFY", 6);
  assert.deepEqual(said(), ["200 INFO", "200 MESSAGE", "200 OPTIONS", "200 UPDATE", "405 NOTIFY"]);
  next("INFO", 2, { branch: "z9hG4bKold" });
  assert.deepEqual(said(), ["500 INFO"]);
  assert.deepEqual(heard[0], { type: "application/dtmf-relay", body: "Signal=1" });
  call.onOffer = async (body) => `answer to ${body}`;
  next("INVITE", 7, { body: "again" });
  await null; await null; await null;
  const [answer] = take();
  assert.equal(answer.body, "answer to again");
  next("ACK", 7);
  call.onOffer = async () => { throw new Error("no"); };
  next("UPDATE", 8, { body: "odd" });
  await null; await null; await null;
  assert.deepEqual(said(), ["488 UPDATE"]);
});

test("outside of dialogs", () => {
  const { agent, said, take, heard } = lone();
  const outside = (method, headers = []) => agent.received(invite({ method, branch: `z9hG4bK${method}`, headers, body: "" }));
  outside("OPTIONS");
  outside("MESSAGE");
  outside("SUBSCRIBE");
  assert.deepEqual(said(), ["200 OPTIONS", "200 MESSAGE", "405 SUBSCRIBE"]);
  assert.equal(heard.length, 1);
  outside("INVITE", ["Require: precondition"]);
  const [refused] = take();
  assert.equal(refused.status, 420);
  assert.equal(refused.headers.get("Unsupported"), "precondition");
  assert.equal(agent.received("\r\n\r\n"), false);
});

test("only so many calls at once", () => {
  const { agent, said } = lone();
  for (let i = 0; i < 17; i += 1) agent.received(invite({ branch: `z9hG4bK${i}` }));
  assert.deepEqual(said(), ["486 INVITE"]);
});

test("the socket is gone", () => {
  const { agent, call, ended, clock } = rung();
  call.accept("answer");
  agent.close();
  assert.equal(ended[0].why, "lost");
  assert.equal(clock.pending, 0);
});

test("from INVITE to BYE between two agents", async () => {
  const { door, phone, log, run } = couple();
  phone.on("invite", (call) => {
    call.progress(183, "answer");
    call.accept("answer");
  });
  const call = door.invite("sip:phone@fade.home.arpa", "offer");
  const heard = [];
  for (const name of ["progress", "answered", "ended"]) call.on(name, (detail) => heard.push([name, detail.status ?? detail.body]));
  await run();
  call.hangup();
  await run();
  assert.deepEqual(log, ["INVITE", "183 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]);
  assert.deepEqual(heard, [["progress", 183], ["answered", "answer"], ["ended", 0]]);
});
