// The parts of the desk that need no browser. Run by test_desk_parts.py.

import assert from "node:assert/strict";
import { test } from "node:test";

const desk = new URL("../../support/static/support/desk/", import.meta.url);
const part = (name) => import(new URL(name, desk));

const { delay } = await part("backoff.js");
const { fitting, inserted, slash } = await part("canned_answers.js");
const { DeskState, unread } = await part("desk_state.js");
const { MessageLog } = await part("message_log.js");
const { Outbox } = await part("outbox.js");
const { timeline } = await part("timeline.js");
const { Typists } = await part("typists.js");
const { list, position, since, size } = await part("words.js");

const said = (seq, more = {}) => ({ seq, message: `no. ${seq}`, sender: "lena", timestamp: "2026-01-01T10:00:00Z", ...more });
const seqs = (log) => log.messages.map((message) => message.seq);

/** The part of sessionStorage that is used. */
function store() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
    kept,
  };
}

test("a pause doubles up to twenty seconds, and half of it is drawn by lot", () => {
  assert.deepEqual([0, 1, 2, 3, 20].map((attempt) => delay(attempt, () => 1)), [500, 1000, 2000, 4000, 20_000]);
  assert.deepEqual([0, 20].map((attempt) => delay(attempt, () => 0)), [250, 10_000]);
});

test("every message is here once and in order, whatever is replayed", () => {
  const log = new MessageLog();
  const told = [7, 8, 8, 7, 9, 11, 10, 9, 11].map((seq) => log.add(said(seq)));
  assert.deepEqual(seqs(log), [7, 8, 9, 10, 11]);
  assert.equal(told[5], "gap");
  assert.deepEqual([log.first, log.last], [7, 11]);
});

test("random replays of overlapping stretches never lose, double or swap a message", () => {
  let seed = 42;
  const random = (below) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  for (let round = 0; round < 200; round += 1) {
    const log = new MessageLog();
    const head = 1 + random(30);
    while (log.last < head) {
      const from = log.last && Math.max(1, log.last + 1 - random(4)); // a server replays what follows `since`, or a bit more
      for (let seq = from || 1; seq <= Math.min(head, (from || 1) + random(8)); seq += 1) log.add(said(seq));
    }
    assert.deepEqual(seqs(log), Array.from({ length: head }, (_, place) => place + 1));
  }
});

test("of ten thousand missed messages the newest are kept, and the rest can be loaded again", () => {
  const log = new MessageLog();
  for (let seq = 1; seq <= 10_000; seq += 1) assert.equal(log.add(said(seq)), "added");
  assert.equal(log.last, 10_000);
  assert.ok(log.messages.length >= 500 && log.messages.length <= 1000);
  assert.equal(log.first, 10_001 - log.messages.length);
});

test("an erased message replaces what it was", () => {
  const log = new MessageLog();
  log.add(said(1));
  assert.equal(log.add(said(1, { message: "" })), "known");
  assert.equal(log.messages[0].message, "");
});

test("earlier messages join without a gap or not at all", () => {
  const log = new MessageLog();
  log.add(said(10));
  log.addEarlier([7, 8, 9].map((seq) => said(seq)));
  log.addEarlier([3, 4].map((seq) => said(seq)));
  assert.deepEqual(seqs(log), [7, 8, 9, 10]);
});

test("what was written outlives a reload, under the same client id, and is sent in its order", () => {
  const kept = store();
  const outbox = new Outbox(kept, "box");
  for (const text of ["one", "two"]) outbox.add({ kind: "message", text });
  const ids = outbox.entries.map((entry) => entry.client_id);
  assert.equal(new Set(ids).size, 2);
  assert.equal(outbox.take().text, "one");
  const after = new Outbox(kept, "box");
  assert.deepEqual([after.take().client_id, after.onItsWay], [ids[0], ids[0]]);
  after.acknowledged(ids[0]);
  assert.deepEqual([after.take().client_id, after.take()], [ids[1], undefined]);
  assert.deepEqual(new Outbox(kept, "box").entries.map((entry) => entry.text), ["two"]);
  after.remove(ids[0]);
  after.remove(ids[1]);
  assert.equal(kept.kept.size, 0);
});

test("one is on its way at a time, so that none overtakes one that has to go again", () => {
  const outbox = new Outbox(store(), "box");
  for (const text of ["one", "two", "three"]) outbox.add({ kind: "message", text });
  assert.deepEqual([outbox.take().text, outbox.take()], ["one", undefined]);
  outbox.interrupted(); // the server asked for a pause
  assert.equal(outbox.take().text, "one");
  outbox.acknowledged(outbox.onItsWay);
  assert.equal(outbox.take().text, "two");
  outbox.refused(outbox.onItsWay, "The ticket is closed.");
  assert.equal(outbox.take().text, "three");
});

test("of a ticket that is not the agent's any more everything comes back", () => {
  const outbox = new Outbox(store(), "box");
  for (const text of ["one", "two"]) outbox.add({ kind: "message", text });
  outbox.take();
  outbox.refuseAll("Not yours.");
  assert.deepEqual(outbox.entries.map((entry) => [entry.state, entry.reason]), [["refused", "Not yours."], ["refused", "Not yours."]]);
  assert.equal(outbox.settled, true);
});

test("what was refused waits for the agent and holds nothing up", () => {
  const outbox = new Outbox(store(), "box");
  outbox.add({ kind: "message", text: "too late" });
  outbox.refused(outbox.take().client_id, "The ticket is closed.");
  assert.equal(outbox.settled, true);
  outbox.interrupted();
  assert.equal(outbox.take(), undefined);
});

test("a store that is full or forbidden loses nothing while the page lives", () => {
  const broken = { getItem: () => "{not json", setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  const outbox = new Outbox(broken, "box");
  outbox.add({ kind: "note", text: "still here" });
  assert.equal(outbox.take().text, "still here");
});

test("notes stand where their time puts them, days are told apart, what is being sent comes last", () => {
  const messages = [said(1), said(2, { timestamp: "2026-01-03T10:00:00Z" })];
  const notes = [{ note_seq: 1, note: "hm", sender: "arne", timestamp: "2026-01-01T10:00:05Z" }];
  const rows = timeline(messages, notes, [{ client_id: "c", text: "soon" }]);
  assert.deepEqual(rows.map((row) => row.kind), ["day", "message", "note", "day", "message", "pending"]);
  assert.equal(new Set(rows.map((row) => row.key)).size, rows.length);
});

test("whoever writes stops after six seconds, or with their message", () => {
  const typists = new Typists();
  typists.wrote("lena", 0);
  typists.wrote("arne", 1000);
  assert.deepEqual(typists.at(5999), ["lena", "arne"]);
  assert.equal(typists.next(5999), 1);
  assert.deepEqual(typists.at(6000), ["arne"]);
  typists.sent("arne");
  assert.deepEqual(typists.at(6000), []);
  assert.equal(typists.next(6000), null);
});

test("my tickets have the unread ones first; of those that wait, the next one, by priority too", () => {
  const ticket = (number, more) => ({ id: `t${number}`, number, unread: 0, priority: "normal", ...more });
  const waits = (number, time, priority = "normal") => ticket(number, { state: "queued", queued_at: `2026-01-01T${time}:00Z`, priority });
  const state = new DeskState("me");
  for (const [number, news] of [[1, 0], [2, 4]]) state.put(ticket(number, { state: "open", assignee_id: "me", unread: news }));
  state.put(ticket(3, { state: "open", assignee_id: "another" }));
  for (const it of [waits(4, "12:00"), waits(5, "11:00"), waits(6, "12:10", "urgent"), waits(7, "11:01", "low")]) state.put(it);
  assert.deepEqual(state.mine.map((it) => it.number), [2, 1]);
  assert.deepEqual(state.waiting.map((it) => it.number), [5, 6, 7, 4]);
  state.remove("t5");
  assert.deepEqual(state.waiting.map((it) => it.number), [6, 7, 4]);
  assert.equal(unread(ticket(8, { state: "closed", unread: 2 })), 0);
  state.setAgents([{ id: "me", status: "away" }, { id: "another", status: "online" }]);
  assert.equal(state.me.status, "away");
});

test("a slash opens the ready answers at a word's begin alone", () => {
  assert.deepEqual(slash("/ref", 4), { from: 0, term: "ref" });
  assert.deepEqual(slash("Hello /", 7), { from: 6, term: "" });
  for (const text of ["and/or", "https://example.org", "/ref und"]) assert.equal(slash(text, text.length), null);
});

test("ready answers of the category and of all are found by shortcut first, then by title", () => {
  const answer = (shortcut, title, category = null) => ({ shortcut, title, category, text: `text of ${shortcut}` });
  const answers = [answer("bye", "Ref. to the course"), answer("refund", "Refunds"), answer("ref", "x", "billing"), answer("refx", "x", "other")];
  assert.deepEqual(fitting(answers, "ref", "billing").map((it) => it.shortcut), ["ref", "refund", "bye"]);
  assert.deepEqual(inserted("Hi /ref!", 7, answers[1]), { text: "Hi text of refund!", caret: 17 });
});

test("times, sizes and names read as people say them", () => {
  const now = Date.parse("2026-01-02T12:00:00Z");
  assert.deepEqual(
    ["2026-01-02T11:59:30Z", "2026-01-02T11:15:00Z", "2026-01-01T12:00:00Z", "2025-12-25T12:00:00Z"].map((at) => since(at, now)),
    ["just now", "45 min", "24 h", "8 d"],
  );
  assert.deepEqual([10, 2048, 5 * 1024 ** 2].map(size), ["10 B", "2 KiB", "5.0 MiB"]);
  assert.equal(position(125), "2:05");
  assert.equal(list(["a", "b", "c"]), "a, b and c");
});
