// Elements without markup in strings: nothing that somebody named can become markup.

/** An element. Properties that begin with `on` are listeners; false, null and undefined leave an attribute away. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "srcObject") element[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

/** Put new children in; who had the focus keeps it, known by its data-key. */
export function refill(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.filter(Boolean));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  home: "M4 11.5 12 5l8 6.5V19a1 1 0 0 1-1 1h-4.5v-5.5h-5V20H5a1 1 0 0 1-1-1z",
  history: "M4.5 12a7.5 7.5 0 1 0 2.4-5.5M4.5 4.5v3.8h3.8M12 8v4.4l2.8 1.8",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c.4-3 2.5-5 5.5-5s5.1 2 5.5 5M16 11a2.5 2.5 0 1 0-.8-4.9M16.5 14.2c2.3.3 3.7 2.1 4 4.8",
  settings: "M4 7h9m4.5 0H20M4 12h3m4.5 0H20M4 17h9m4.5 0H20M15.2 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM9.2 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15.2 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  eye: "M2.5 12S6 5.8 12 5.8 21.5 12 21.5 12 18 18.2 12 18.2 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  unlock: "M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8 11V8a4 4 0 0 1 7.7-1.5M12 14.5v2.5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  phone: "M6.2 4h3l1.5 4-2 1.5a11 11 0 0 0 5.8 5.8l1.5-2 4 1.5v3a2 2 0 0 1-2.2 2C10.6 19.2 4.8 13.4 4.2 6.2A2 2 0 0 1 6.2 4z",
  hangup: "M12 9.5c-3.4 0-6.4 1-8.7 2.7-.8.6-1 1.7-.5 2.5l1.2 1.9c.4.6 1.2.9 1.9.6l2.5-1c.6-.2 1-.8 1-1.4v-1.7c1.7-.4 3.5-.4 5.2 0v1.7c0 .6.4 1.2 1 1.4l2.5 1c.7.3 1.5 0 1.9-.6l1.2-1.9c.5-.8.3-1.9-.5-2.5A14.5 14.5 0 0 0 12 9.5z",
  microphone: "M12 14a3 3 0 0 0 3-3V6.5a3 3 0 0 0-6 0V11a3 3 0 0 0 3 3zM6 11a6 6 0 0 0 12 0M12 17v3M9 20h6",
  muted: "M12 14a3 3 0 0 0 3-3V6.5a3 3 0 0 0-6 0V11a3 3 0 0 0 3 3zM6 11a6 6 0 0 0 12 0M12 17v3M9 20h6M4.5 4.5l15 15",
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5a2.2 2.2 0 0 0 4 0",
  silent: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10 20.5a2.2 2.2 0 0 0 4 0M4.5 4.5l15 15",
  arrow: "M5 12h13M13 6.5l5.5 5.5-5.5 5.5",
  back: "M19 12H6M11 6.5 5.5 12l5.5 5.5",
  close: "M6 6l12 12M18 6 6 18",
  sound: "M4.5 9.5v5H8l5 4V5.5l-5 4zM16.5 9a4.2 4.2 0 0 1 0 6M18.8 6.5a8 8 0 0 1 0 11",
  screen: "M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM9 20h6M12 16v4",
  mobile: "M8.5 3.5h7a1 1 0 0 1 1 1v15a1 1 0 0 1-1 1h-7a1 1 0 0 1-1-1v-15a1 1 0 0 1 1-1zM11 17.5h2",
  door: "M6.5 20V5.5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1V20M4 20h16M14 12.2v.6",
  plus: "M12 5v14M5 12h14",
  moon: "M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z",
  warning: "M12 4.5 21 19.5H3zM12 10v4M12 16.6v.4",
  offline: "M4.5 4.5l15 15M7.5 13.5a6.5 6.5 0 0 1 3-1.6M5 10.5a10 10 0 0 1 3.5-2.2M12.5 7.5A10 10 0 0 1 19 10.5M14.5 12.6a6.5 6.5 0 0 1 2 .9M12 17.5v.3",
  shield: "M12 3.5l7 2.5v5.5c0 4.3-2.8 7.5-7 9-4.2-1.5-7-4.7-7-9V6z",
};

/** A line drawing; hidden from screen readers, since the words beside it say it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
