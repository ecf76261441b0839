// Ready-made answers: the agent types a slash and some letters, chooses one and goes on writing.

/** @typedef {import("./shapes.js").CannedAnswer} CannedAnswer */

/**
 * What is being looked for: the slash at the text's begin or after a space, up to the caret.
 * @param {string} text @param {number} caret
 * @returns {{from: number, term: string} | null}
 */
export function slash(text, caret) {
  const found = /(?:^|\s)\/([\p{L}\p{N}_-]*)$/u.exec(text.slice(0, caret));
  return found && { from: caret - found[1].length - 1, term: found[1] };
}

/**
 * The answers that fit: those whose shortcut begins so, then those that have the letters in shortcut or title.
 * @param {readonly CannedAnswer[]} answers @param {string} term @param {string} category of the ticket
 * @returns {CannedAnswer[]} ten at most
 */
export function fitting(answers, term, category) {
  const wanted = term.toLowerCase();
  const rank = (answer) => {
    const shortcut = answer.shortcut.toLowerCase();
    if (shortcut.startsWith(wanted)) return 0;
    return shortcut.includes(wanted) || answer.title.toLowerCase().includes(wanted) ? 1 : 2;
  };
  return answers
    .filter((answer) => rank(answer) < 2 && (answer.category === null || answer.category === category))
    .sort((a, b) => rank(a) - rank(b) || a.shortcut.localeCompare(b.shortcut))
    .slice(0, 10);
}

/**
 * The text with the answer in place of the slash and its letters.
 * @param {string} text @param {number} caret @param {CannedAnswer} answer
 * @returns {{text: string, caret: number}}
 */
export function inserted(text, caret, answer) {
  const at = slash(text, caret);
  const from = at ? at.from : caret;
  return { text: text.slice(0, from) + answer.text + text.slice(caret), caret: from + answer.text.length };
}
