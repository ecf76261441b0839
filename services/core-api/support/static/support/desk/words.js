// Times and numbers as agents read them.

const MINUTE = 60_000;

/** The time of day. @param {string} timestamp */
export function clock(timestamp) {
  return new Date(timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** Date and time, in full. @param {string} timestamp */
export function moment(timestamp) {
  return new Date(timestamp).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** A day as people call it. @param {string} day YYYY-MM-DD @param {Date} now */
export function dayName(day, now = new Date()) {
  const date = new Date(`${day}T12:00:00`);
  const ago = Math.round((new Date(now).setHours(12, 0, 0, 0) - date.getTime()) / (24 * 60 * MINUTE));
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

/** How long ago, roughly. @param {string} timestamp @param {number} now ms */
export function since(timestamp, now = Date.now()) {
  const minutes = Math.max(0, Math.floor((now - Date.parse(timestamp)) / MINUTE));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / (24 * 60))} d`;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${Math.round(bytes / 1024)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** A place in a video. @param {number} seconds */
export function position(seconds) {
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  return `${Math.floor(seconds / 60)}:${rest}`;
}

/** @param {string[]} names */
export function list(names) {
  return names.length < 3 ? names.join(" and ") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
