// What a conversation shows, from top to bottom: messages by `seq`, internal notes where their time puts them, what is still
// being sent at the end, and a line where a new day begins.

/**
 * @typedef {object} Row
 * @property {string} key the same for the same thing
 * @property {"day" | "message" | "note" | "pending"} kind
 * @property {string} [day] YYYY-MM-DD, in the reader's time zone
 * @property {import("./shapes.js").Message} [message]
 * @property {import("./shapes.js").Note} [note]
 * @property {import("./outbox.js").Entry} [entry]
 */

/**
 * @param {readonly import("./shapes.js").Message[]} messages by seq
 * @param {readonly import("./shapes.js").Note[]} notes by note_seq
 * @param {readonly import("./outbox.js").Entry[]} entries as written
 * @returns {Row[]}
 */
export function timeline(messages, notes, entries) {
  const rows = withDays(merged(messages, notes));
  const pending = entries.map((entry) => ({ key: `pending-${entry.client_id}`, kind: "pending", entry }));
  return [...rows, .../** @type {Row[]} */ (pending)];
}

/** A note stands after the messages of its second: times come in whole seconds. */
function merged(messages, notes) {
  const rows = [];
  let next = 0;
  for (const message of messages) {
    while (next < notes.length && notes[next].timestamp < message.timestamp) rows.push(noteRow(notes[next++]));
    rows.push({ key: `message-${message.seq}`, kind: "message", message, at: message.timestamp });
  }
  while (next < notes.length) rows.push(noteRow(notes[next++]));
  return rows;
}

function noteRow(note) {
  return { key: `note-${note.note_seq}`, kind: "note", note, at: note.timestamp };
}

function withDays(rows) {
  let day = "";
  return rows.flatMap((row) => {
    const its = localDay(row.at);
    if (its === day) return [row];
    day = its;
    return [{ key: `day-${its}-${row.key}`, kind: "day", day: its }, row];
  });
}

/** @param {string} timestamp @returns {string} YYYY-MM-DD */
function localDay(timestamp) {
  const moment = new Date(timestamp);
  const part = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${part(moment.getMonth() + 1)}-${part(moment.getDate())}`;
}
