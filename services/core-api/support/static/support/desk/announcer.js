// What happens by itself: a screen reader says it (one polite live region), and what nobody else would see stands on the page, too.

import { byId } from "./elements.js";

const SHOWN_FOR = 12_000; // ms

/** @type {ReturnType<typeof setTimeout> | undefined} */
let ending;

/** For who listens: what is on the page already. @param {string} sentence */
export function announce(sentence) {
  const region = byId("desk-announcer");
  const said = document.createElement("p");
  said.textContent = sentence;
  region.append(said);
  while (region.children.length > 5) region.firstElementChild?.remove();
}

/** For everybody: what has no other place on the page. @param {string} sentence */
export function tell(sentence) {
  announce(sentence);
  const place = byId("desk-told");
  place.textContent = sentence;
  clearTimeout(ending);
  ending = setTimeout(() => (place.textContent = ""), SHOWN_FOR);
}
