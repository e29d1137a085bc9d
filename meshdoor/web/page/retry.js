// The page cannot begin when one of its files does not come, as from a node that has too much to do. Then all of it is
// loaded again, a few times; and then a person is told. No module: it has to be there when those are not.

(() => {
  const WAITS = [1000, 3000, 9000]; // ms
  const WORDS = {
    en: ["This page did not load completely.", "Load it again"],
    de: ["Diese Seite wurde nicht vollständig geladen.", "Noch einmal laden"],
    fr: ["Cette page n’est pas chargée entièrement.", "Charger de nouveau"],
  };

  let over = false;

  function failed({ target }) {
    const needed = target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet");
    if (!needed || over) return;
    over = true;
    const wait = WAITS[globalThis.retries.taken()];
    if (wait !== undefined) setTimeout(() => location.reload(), wait);
    else if (document.readyState === "loading") addEventListener("DOMContentLoaded", tell);
    else tell();
  }

  function tell() {
    const [text, again] = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;
    const button = document.createElement("button");
    button.textContent = again;
    button.addEventListener("click", () => { globalThis.retries.forget(); location.reload(); });
    const line = document.createElement("p");
    line.className = "plain";
    line.append(text, " ", button);
    document.getElementById("page").replaceChildren(line);
  }

  // Counted for this tab. Where nothing may be kept, it is not tried again.
  const COUNT = "retries";
  globalThis.retries = {
    taken() {
      try {
        const taken = Number(sessionStorage.getItem(COUNT));
        sessionStorage.setItem(COUNT, taken + 1);
        return taken;
      } catch {
        return WAITS.length;
      }
    },
    forget() {
      try {
        sessionStorage.removeItem(COUNT);
      } catch {
        // nothing was kept
      }
    },
  };
  addEventListener("error", failed, true);
})();
