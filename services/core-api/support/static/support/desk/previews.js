// Pictures in a conversation, shown as they are. They are fetched as any file is, with the token, when they come into sight, and
// held as blobs until another conversation is shown.

import { element } from "./elements.js";
import { Unreachable } from "./session.js";

/** @typedef {import("./shapes.js").Attachment} Attachment */

const KINDS = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const LARGEST = 5 * 1024 * 1024; // bytes; what is larger is a name to click on
const AGAIN_AFTER = 5_000; // ms, when nobody answered

export class Previews {
  /** @type {Map<string, string | null>} addresses of the pictures by attachment; null: being fetched, or not to be had */
  #addresses = new Map();
  #sight = new IntersectionObserver((entries) => entries.forEach((entry) => entry.isIntersecting && this.#seen(entry.target)));
  #session;
  #onFetched;

  /**
   * @param {import("./session.js").Session} session
   * @param {() => void} onFetched one is there now: `of` has it
   */
  constructor(session, onFetched) {
    this.#session = session;
    this.#onFetched = onFetched;
  }

  /** The picture, or its place as long as it has not come; null for what is none. @param {Attachment} attachment */
  of(attachment) {
    if (attachment.state !== "ready" || !KINDS.includes(attachment.content_type) || attachment.size > LARGEST) return null;
    const address = this.#addresses.get(attachment.id);
    return element("img", { class: "preview", alt: attachment.name, src: address, "data-attachment": attachment.id });
  }

  /** Fetches those of the list that have not come, as soon as they are in sight. @param {HTMLElement} list */
  watch(list) {
    for (const place of list.querySelectorAll("img.preview:not([src])")) this.#sight.observe(place);
  }

  /** Forgets all of them. */
  clear() {
    this.#sight.disconnect();
    for (const address of this.#addresses.values()) if (address) URL.revokeObjectURL(address);
    this.#addresses = new Map();
  }

  /** @param {any} place */
  async #seen(place) {
    this.#sight.unobserve(place);
    const attachment = place.dataset.attachment;
    const addresses = this.#addresses;
    if (addresses.has(attachment)) return;
    addresses.set(attachment, null);
    try {
      const answer = await this.#session.request("GET", `/chat/v1/attachments/${attachment}/`);
      const content = await answer.blob();
      if (addresses !== this.#addresses) return; // another conversation is shown
      addresses.set(attachment, URL.createObjectURL(content));
      this.#onFetched();
    } catch (error) {
      if (!(error instanceof Unreachable)) return; // its name is there to click on, and says why not
      setTimeout(() => {
        addresses.delete(attachment);
        this.#sight.observe(place);
      }, AGAIN_AFTER);
    }
  }
}
