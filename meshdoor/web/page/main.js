// Everything begins here.

import { App } from "./app.js";
import { registerWorker } from "./net/push.js";
import { h } from "./ui/dom.js";
import { message, button } from "./ui/parts.js";
import { Shell } from "./views/shell.js";
import { t } from "./i18n/i18n.js";

async function begin() {
  globalThis.retries?.forget();
  const app = new App();
  if (!globalThis.RTCPeerConnection || !globalThis.crypto?.subtle || !globalThis.indexedDB) {
    fail(t("browser.old"), t("browser.old.text"));
    return;
  }
  const shell = new Shell(app);
  await app.load().catch(() => false); // a private window: joining says so
  shell.show();
  watchNetwork(app);
  registerWorker();
}

/** The browser knows sooner than we do that the network is back, or that we were asleep. */
function watchNetwork(app) {
  const hurry = () => app.line?.hurry();
  addEventListener("online", hurry);
  addEventListener("offline", hurry);
  addEventListener("pageshow", hurry);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
  // Any touch lets the bell sound later.
  addEventListener("pointerdown", () => app.bell.unlock().then(() => app.emit("change")), { once: true });
  addEventListener("keydown", () => app.bell.unlock().then(() => app.emit("change")), { once: true });
}

function fail(title, text) {
  const reload = button(t("error.reload"), () => location.reload(), { kind: "primary" });
  document.getElementById("page").replaceChildren(h("main", { class: "alone" }, message({ symbol: "warning", title, text }, reload)));
}

begin().catch((error) => {
  console.error(error);
  fail(t("error.title"), t("error.script"));
});
