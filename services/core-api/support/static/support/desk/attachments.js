// Files in a conversation: sending one, waiting until it has been looked at, fetching one.

import { tell } from "./announcer.js";
import { element } from "./elements.js";
import { size } from "./words.js";

/** @typedef {import("./shapes.js").Attachment} Attachment */

export const LARGEST = 20 * 1024 * 1024; // bytes
const LONGEST = 10 * 60_000; // ms, for the largest on a slow line
const LOOK_EVERY = 2_000; // ms, while it is being scanned

/**
 * Sends a file; gives the attachment, which a message may name. Throws as Session.request.
 * @param {import("./session.js").Session} session @param {string} ticket @param {File} file
 * @returns {Promise<Attachment>}
 */
export async function upload(session, ticket, file) {
  const body = new FormData();
  body.append("file", file);
  const options = { body, signal: AbortSignal.timeout(LONGEST) };
  const answer = await session.request("POST", `/chat/v1/tickets/${ticket}/attachments/`, options);
  return answer.json();
}

/**
 * A message's file, to be fetched by a click: the link needs the token, which no address may hold.
 * @param {Attachment} attachment @param {import("./session.js").Session} session
 */
export function attachmentLine(attachment, session) {
  const label = `${attachment.name} (${size(attachment.size)})`;
  return element(
    "p",
    { class: "attachment" },
    element("button", { type: "button", class: "link", onclick: () => fetchFile(attachment, session) }, label),
  );
}

/** @param {Attachment} attachment @param {import("./session.js").Session} session */
async function fetchFile(attachment, session) {
  try {
    const options = { signal: AbortSignal.timeout(LONGEST) };
    const answer = await session.request("GET", `/chat/v1/attachments/${attachment.id}/`, options);
    save(await answer.blob(), attachment.name);
  } catch (error) {
    tell(`${attachment.name}: ${error.message}`);
  }
}

/** Hands the browser a file to keep. @param {Blob} content @param {string} name */
export function save(content, name) {
  const address = URL.createObjectURL(content);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * The attachment once it has been looked at: ready or rejected. Throws as Session.call.
 * @param {import("./session.js").Session} session @param {string} ticket @param {Attachment} attachment
 * @returns {Promise<Attachment>}
 */
export async function scanned(session, ticket, attachment) {
  let found = attachment;
  while (found.state === "scanning") {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    const { results } = await session.call("GET", `/chat/v1/tickets/${ticket}/attachments/`);
    found = results.find((each) => each.id === attachment.id) ?? { ...found, state: "rejected" };
  }
  return found;
}
