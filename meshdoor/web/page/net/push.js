// Notifications while the page is closed. They need a service worker, so a certificate that the phone trusts.

/** "on", "off", "denied", or "absent" where the browser has none. */
export async function pushState() {
  if (!("PushManager" in globalThis) || !globalThis.Notification) return "absent";
  const registration = await navigator.serviceWorker?.getRegistration();
  if (!registration) return "absent";
  if (Notification.permission === "denied") return "denied";
  return (await registration.pushManager.getSubscription()) ? "on" : "off";
}

/** Begin or end it; gives a promise of the new state. */
export async function setPush(on, ask) {
  const registration = await navigator.serviceWorker.getRegistration();
  const old = await registration.pushManager.getSubscription();
  if (!on) {
    await ask("push", { subscription: null });
    await old?.unsubscribe();
    return pushState();
  }
  if ((await Notification.requestPermission()) !== "granted") return pushState();
  const { key } = await ask("push");
  const subscription = old ?? await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await ask("push", { subscription: subscription.toJSON() });
  return pushState();
}

/** Only where the certificate is trusted; elsewhere the page does without. */
export function registerWorker() {
  navigator.serviceWorker?.register("/sw.js").catch(() => {});
}
