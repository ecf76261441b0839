// Keys for agents who leave the mouse where it is. All of them with Alt, so that none is typed by accident.

const KEYS = {
  ArrowDown: "next",
  ArrowUp: "previous",
  Digit1: "tickets",
  Digit2: "text",
  Digit3: "learner",
  Digit4: "search",
};

/** @param {Record<string, () => void>} acts by the names above */
export function onShortcut(acts) {
  document.addEventListener("keydown", (event) => {
    const name = event.altKey && !event.ctrlKey && !event.metaKey && KEYS[event.code];
    if (!name || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    acts[name]();
  });
}
