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
  let place = list.firstElementChild;
  for (const it of wanted) {
    const key = keyOf(it);
    const made = make(it);
    made.dataset.key = key;
    let child = here.get(key);
    here.delete(key);
    if (!child) child = made;
    else if (!child.isEqualNode(made)) child = replaced(child, made, () => (place = place === child ? made : place));
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const gone of here.values()) gone.remove();
}

/** Puts `made` where `child` is, with the focus if that was inside. */
function replaced(child, made, moved) {
  const inside = [...child.querySelectorAll("button, a")];
  const focused = inside.indexOf(document.activeElement);
  moved();
  child.replaceWith(made);
  if (focused >= 0) [...made.querySelectorAll("button, a")][focused]?.focus();
  return made;
}
