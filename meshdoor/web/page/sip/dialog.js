// Dialogs (RFC 3261 §12).

import { hostOf, parseAddress } from "./grammar.js";
import { Request } from "./message.js";

export class Dialog {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** Where a request of ours was answered (§12.1.2). */
  static ofResponse(request, response) {
    return new Dialog({
      callId: request.callId,
      local: request.headers.get("From"),
      remote: response.headers.get("To"),
      remoteTag: response.to.params.get("tag") ?? "",
      target: targetOf(response, request.uri),
      routes: response.headers.all("Record-Route").reverse(),
      sequence: request.cseq.number,
      remoteSequence: -1,
    });
  }

  /** Where we answer a request (§12.1.1). */
  static ofRequest(request, tag, sequence) {
    return new Dialog({
      callId: request.callId,
      local: `${request.headers.get("To")};tag=${tag}`,
      remote: request.headers.get("From"),
      remoteTag: request.from.params.get("tag") ?? "",
      target: targetOf(request, request.from.uri),
      routes: request.headers.all("Record-Route"),
      sequence,
      remoteSequence: request.cseq.number,
    });
  }

  /** Is this request of the other side a part of it? */
  has(request) {
    const localTag = parseAddress(this.local).params.get("tag");
    return (
      request.callId === this.callId &&
      request.to.params.get("tag") === localTag &&
      (request.from.params.get("tag") ?? "") === this.remoteTag
    );
  }

  /** Take the number of a request; false if it is out of order (§12.2.2). */
  inOrder(request) {
    const { number } = request.cseq;
    if (number <= this.remoteSequence) return false;
    this.remoteSequence = number;
    return true;
  }

  /** A target refresh (§12.2). */
  refresh(message) {
    this.target = targetOf(message, this.target);
  }

  /** A request inside of it, without Via. An ACK has the number of its INVITE (§12.2.1.1). */
  request(method, headers = [], body = "", number = (this.sequence += 1)) {
    return new Request(method, this.target, [
      ...this.routes.map((value) => ["Route", value]),
      ["Max-Forwards", 70],
      ["From", this.local],
      ["To", this.remote],
      ["Call-ID", this.callId],
      ["CSeq", `${number} ${method}`],
      ...headers,
    ], body);
  }
}

function targetOf(message, otherwise) {
  const contact = message.headers.get("Contact");
  const { uri } = contact ? parseAddress(contact) : { uri: "" };
  return hostOf(uri) ? uri : otherwise;
}
