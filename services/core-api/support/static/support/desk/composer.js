// Where the agent writes: an answer or an internal note, with a file by choosing, dropping or pasting one. What is begun in one
// ticket is still there when the agent comes back to it.

import { announce } from "./announcer.js";
import { AnswerPicker } from "./answer_picker.js";
import { LARGEST, scanned, upload } from "./attachments.js";
import { byId } from "./elements.js";
import { size } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {{text: string, kind: "message" | "note", attachment: import("./shapes.js").Attachment | null}} Draft */

const LONGEST = 4000; // characters, as chat-gateway has it
const REOPEN = "Reopen the ticket to answer.";

export class Composer {
  #form = byId("desk-composer");
  #text = byId("desk-text");
  #file = byId("desk-file");
  #said = byId("desk-composer-said");
  #attached = byId("desk-attached");
  #kinds = this.#form.elements.namedItem("kind");
  /** @type {Conversation | null} */
  #conversation = null;
  /** @type {Map<string, Draft>} by ticket */
  #drafts = new Map();
  #session;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
    this.picker = new AnswerPicker(this.#text);
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#form.addEventListener("change", () => this.#render());
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("input", () => this.#written());
    this.#text.addEventListener("paste", (event) => this.#paste(event));
    this.#file.addEventListener("change", () => this.#choose());
    byId("desk-detach").addEventListener("click", () => this.#detach());
    acceptDrops(byId("desk-conversation"), (transfer, event) => this.#take(transfer, event));
  }

  /** @param {Conversation | null} conversation */
  show(conversation) {
    this.#conversation = conversation;
    this.picker.category = conversation?.ticket.category ?? "";
    this.#fill(conversation && this.#drafts.get(conversation.ticket.id));
    this.render();
  }

  /** What was refused comes back to be written anew, before what has been begun since. @param {import("./outbox.js").Entry} entry */
  takeBack(entry) {
    const { text, attachment } = this.#draft;
    const whole = text.trim() ? `${entry.text}\n${text}` : entry.text;
    this.#fill({ text: whole, kind: entry.kind, attachment: entry.attachment ?? attachment });
    this.#render();
    this.focus();
  }

  focus() {
    this.#text.focus();
  }

  /** After the ticket's state may have changed. */
  render() {
    this.#render();
  }

  /** Whether an answer would be refused; a note would not. */
  get #isClosed() {
    return this.#conversation?.ticket.state === "closed" && this.#kinds.value === "message";
  }

  get #draft() {
    const id = this.#conversation?.ticket.id ?? "";
    if (!this.#drafts.has(id)) this.#drafts.set(id, { text: "", kind: "message", attachment: null });
    return /** @type {Draft} */ (this.#drafts.get(id));
  }

  #fill(draft) {
    Object.assign(this.#draft, draft ?? { text: "", kind: "message", attachment: null });
    this.#text.value = this.#draft.text;
    this.#kinds.value = this.#draft.kind;
    this.#said.textContent = "";
  }

  #written() {
    this.#draft.text = this.#text.value;
    if (this.#text.value && this.#kinds.value === "message") this.#conversation?.typing();
    this.#grow();
  }

  #submit(event) {
    event.preventDefault();
    const { attachment } = this.#draft;
    const kind = this.#kinds.value;
    const file = kind === "message" ? attachment : null; // a note has none: it waits for the next answer
    const text = this.#text.value.trim() || (file?.name ?? "");
    if (!text || !this.#conversation) return;
    if (this.#isClosed) return this.#say(REOPEN);
    const length = [...text].length; // ready answers may have made it longer than the field lets one type
    if (length > LONGEST) return this.#say(`A message may have ${LONGEST} characters at most. This one has ${length}.`);
    this.#conversation.say(file ? { kind, text, attachment: file } : { kind, text });
    this.#fill({ text: "", kind, attachment: file ? null : attachment }); // after a note comes no answer by mistake
    this.#render();
    this.focus();
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #choose() {
    const [file] = this.#file.files;
    this.#file.value = ""; // or the same one could not be chosen again
    this.#attach(file);
  }

  /** A text that is copied in an office program has a picture of itself beside it. */
  #paste(event) {
    if (!event.clipboardData?.types.includes("text/plain")) this.#take(event.clipboardData, event);
  }

  #take(transfer, event) {
    const [file, ...more] = transfer?.files ?? [];
    if (!file) return;
    event.preventDefault();
    if (more.length) return this.#say("Only one file goes with a message: send them one after the other.");
    this.#attach(file);
  }

  async #attach(file) {
    const conversation = this.#conversation;
    if (!file || !conversation) return;
    if (this.#kinds.value === "note") return this.#say("A note has no file. Choose “Answer” to send it.");
    if (this.#isClosed) return this.#say(REOPEN);
    if (file.size > LARGEST) return this.#say(`${file.name} is larger than ${size(LARGEST)}.`);
    this.#say(`${file.name} is being sent …`);
    const { id } = conversation.ticket;
    const draft = this.#draft;
    try {
      const sent = await upload(this.#session, id, file);
      if (sent.state === "scanning") this.#say(`${file.name} is being looked at …`);
      const attachment = await scanned(this.#session, id, sent);
      if (attachment.state === "rejected") return this.#say(`${file.name} was rejected: it is not safe.`);
      draft.attachment = attachment;
      this.#say(`${attachment.name} goes with your message.`);
    } catch (error) {
      this.#say(`${file.name} was not taken: ${error.message}`);
    }
    this.#render();
  }

  #detach() {
    this.#draft.attachment = null;
    this.#say("");
    this.#render();
    this.focus();
  }

  #say(sentence) {
    this.#said.textContent = sentence;
    if (sentence) announce(sentence);
  }

  #render() {
    const note = this.#kinds.value === "note";
    this.#draft.kind = this.#kinds.value;
    const closed = this.#isClosed;
    this.#form.classList.toggle("note", note);
    const answers = closed ? REOPEN : "Write an answer, or / for a ready one …";
    this.#text.placeholder = note ? "For agents only …" : answers;
    this.#form.elements.namedItem("send").disabled = !this.#conversation || closed;
    this.#form.elements.namedItem("send").textContent = note ? "Add note" : "Send";
    byId("desk-attach").hidden = note;
    const { attachment } = this.#draft;
    this.#attached.hidden = !attachment || note;
    byId("desk-attached-name").textContent = attachment ? `${attachment.name} (${size(attachment.size)})` : "";
    this.#grow();
  }

  /** As many lines as are written, up to a third of the page. */
  #grow() {
    const lines = this.#text.value.split("\n").length + Math.floor(this.#text.value.length / 90);
    this.#text.rows = Math.min(12, Math.max(2, lines));
  }
}

/**
 * Beside the area a file is not taken, nor does the browser leave the page to show it.
 * @param {HTMLElement} area @param {(transfer: DataTransfer | null, event: Event) => void} take
 */
function acceptDrops(area, take) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => hasFiles(event) && event.preventDefault());
  const over = (event) => {
    if (hasFiles(event)) area.classList.add("drop");
  };
  area.addEventListener("dragenter", over);
  area.addEventListener("dragover", over);
  area.addEventListener("dragleave", (event) => area.contains(event.relatedTarget) || area.classList.remove("drop"));
  area.addEventListener("drop", (event) => {
    area.classList.remove("drop");
    take(event.dataTransfer, event);
  });
}
