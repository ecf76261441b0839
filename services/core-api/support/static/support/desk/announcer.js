// What a screen reader says: one polite live region for everything that happens by itself.

import { byId } from "./elements.js";

/** @param {string} sentence */
export function announce(sentence) {
  const region = byId("desk-announcer");
  const said = document.createElement("p");
  said.textContent = sentence;
  region.append(said);
  while (region.children.length > 5) region.firstElementChild?.remove();
}
