// How long to wait before the next attempt at something that failed.

const FIRST = 500; // ms
const LONGEST = 20_000; // ms

/**
 * Doubles from attempt to attempt; half of it is drawn by lot, so that a thousand desks do not come back at the same moment.
 * @param {number} attempt how many have failed so far, from 0
 * @param {() => number} random from 0 to 1
 * @returns {number} milliseconds
 */
export function delay(attempt, random = Math.random) {
  const most = Math.min(LONGEST, FIRST * 2 ** attempt);
  return most / 2 + (random() * most) / 2;
}
