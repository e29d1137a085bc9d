// Notifications while the page is closed, and the page itself while the node is away.

const SHELL = "shell-1";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name !== SHELL));
  event.waitUntil(old.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => clients.claim()));
});

// What the node has now comes first; what was kept is for when it does not answer.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  event.respondWith(fresh(request));
});

async function fresh(request) {
  const shell = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok) await shell.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await shell.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

// A push says what happened; the words are ours.
const WORDS = {
  en: { visitor: (door) => `Somebody is at ${door}`, test: "This is how it rings", other: "Something happened at home" },
  de: { visitor: (door) => `Besuch: ${door}`, test: "So klingelt es", other: "Zuhause ist etwas geschehen" },
  fr: { visitor: (door) => `Quelqu’un est là : ${door}`, test: "Voilà comment ça sonne", other: "Il s’est passé quelque chose à la maison" },
};
const SHAKE = [350, 180, 350];

self.addEventListener("push", (event) => {
  let said;
  try {
    said = event.data.json();
  } catch {
    said = {}; // something has to be shown for each push
  }
  const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;
  const body = { visitor: () => words.visitor(said.door), test: () => words.test }[said.event] ?? (() => words.other);
  event.waitUntil(
    self.registration.showNotification(said.home ?? "Meshdoor", {
      body: body(),
      tag: said.press ?? said.event ?? "meshdoor",
      icon: "/icons/icon-192.png",
      badge: "/icons/icon-192.png",
      renotify: true,
      requireInteraction: true,
      vibrate: SHAKE,
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open());
});

async function open() {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.length) await pages[0].focus();
  else await clients.openWindow("/");
}
