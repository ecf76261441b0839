// Making and finding elements. Text stays text: what people write is never parsed as HTML.

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `class`, `aria-…` and the like; functions are event handlers (`onclick`); what is
 *   null, undefined or false is left out
 * @param {(Node | string | null | undefined | false)[]} children
 * @returns {any} the element
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child || child === "")));
  return made;
}

/** A part of the page (templates/support/desk.html). @param {string} id @returns {any} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is not on the page`);
  return found;
}

/**
 * Makes the children of a list what `wanted` says, and touches only those that changed: focus, selection and scrolling stay.
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} wanted
 * @param {(it: T) => string} keyOf the same for the same thing
 * @param {(it: T) => HTMLElement} make
 */
export function reconcile(list, wanted, keyOf, make) {
  const here = new Map([.../** @type {any} */ (list.children)].map((child) => [child.dataset.key, child]));
  const focused = focusedIn(list);
  let place = list.firstElementChild;
  for (const it of wanted) {
    const key = keyOf(it);
    const made = make(it);
    made.dataset.key = key;
    let child = here.get(key);
    here.delete(key);
    if (!child) child = made;
    else if (!child.isEqualNode(made)) {
      if (place === child) place = made;
      child.replaceWith(made);
      child = made;
    }
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const gone of here.values()) gone.remove();
  if (focused && !list.contains(document.activeElement)) focusAgain(list, focused);
}

/** Where in the list the focus is: an element loses it when it is replaced, and when it is moved. */
function focusedIn(list) {
  const children = [...list.children];
  const row = children.findIndex((child) => child.contains(document.activeElement));
  if (row < 0) return null;
  return { key: children[row].dataset.key, row, place: focusable(children[row]).indexOf(document.activeElement) };
}

/** On the same thing, wherever it stands now; if it is gone, on what stands in its place. */
function focusAgain(list, { key, row, place }) {
  const children = [...list.children];
  const same = children.find((child) => child.dataset.key === key);
  const child = same ?? children[Math.min(row, children.length - 1)];
  if (child) (focusable(child)[place] ?? focusable(child)[0])?.focus();
}

/** @param {Element} child @returns {any[]} */
function focusable(child) {
  return [...child.querySelectorAll("button, a")];
}
