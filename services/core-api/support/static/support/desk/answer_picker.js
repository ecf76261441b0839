// The list of canned answers that opens above the composer. The focus stays in the text; arrow keys choose, Enter or Tab takes.

import { announce } from "./announcer.js";
import { fitting, inserted, slash } from "./canned_answers.js";
import { byId, element } from "./elements.js";

/** @typedef {import("./shapes.js").CannedAnswer} CannedAnswer */

export class AnswerPicker {
  /** @type {CannedAnswer[]} */
  answers = [];
  category = "";
  #list = byId("desk-answers");
  /** @type {CannedAnswer[]} */
  #offered = [];
  #chosen = 0;
  #text;

  /** @param {HTMLTextAreaElement} text */
  constructor(text) {
    this.#text = text;
    text.addEventListener("input", () => this.#look());
    text.addEventListener("blur", () => this.#close());
    text.addEventListener("keydown", (event) => this.#key(event), { capture: true });
  }

  #look() {
    const at = slash(this.#text.value, this.#text.selectionStart);
    const offered = at ? fitting(this.answers, at.term, this.category) : [];
    if (offered.length && !this.#offered.length) announce(`${offered.length} ready answers: arrow keys choose one.`);
    this.#offered = offered;
    this.#chosen = 0;
    this.#render();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.#offered.length || event.isComposing) return;
    const count = this.#offered.length;
    if (event.key === "ArrowDown") this.#chosen = (this.#chosen + 1) % count;
    else if (event.key === "ArrowUp") this.#chosen = (this.#chosen + count - 1) % count;
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#offered[this.#chosen]);
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.#render();
  }

  /** @param {CannedAnswer} answer */
  #take(answer) {
    const { text, caret } = inserted(this.#text.value, this.#text.selectionStart, answer);
    this.#text.value = text;
    this.#text.setSelectionRange(caret, caret);
    this.#close();
    this.#text.dispatchEvent(new Event("input", { bubbles: true })); // the field grows with it
  }

  #close() {
    this.#offered = [];
    this.#render();
  }

  #render() {
    const open = this.#offered.length > 0;
    const options = this.#offered.map((answer, place) => this.#option(answer, place));
    this.#list.replaceChildren(...options);
    this.#list.hidden = !open;
    if (open) this.#text.setAttribute("aria-activedescendant", options[this.#chosen].id);
    else this.#text.removeAttribute("aria-activedescendant");
    options[this.#chosen]?.scrollIntoView({ block: "nearest" });
  }

  #option(answer, place) {
    return element(
      "li",
      {
        id: `desk-answer-${place}`,
        role: "option",
        "aria-selected": String(place === this.#chosen),
        onmousedown: (event) => {
          event.preventDefault(); // the focus stays in the text
          this.#take(answer);
        },
      },
      element("strong", {}, `/${answer.shortcut}`),
      element("span", {}, answer.title),
      element("span", { class: "quiet" }, answer.text),
    );
  }
}
