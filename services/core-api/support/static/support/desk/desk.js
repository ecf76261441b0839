// The support desk: puts the parts of the page together.

import { announce, tell } from "./announcer.js";
import { Composer } from "./composer.js";
import { Conversation, outboxTickets } from "./conversation.js";
import { ConversationView } from "./conversation_view.js";
import { DeskBar } from "./desk_bar.js";
import { DeskFeed } from "./desk_feed.js";
import { DeskState } from "./desk_state.js";
import { byId } from "./elements.js";
import { LearnerPanel } from "./learner_panel.js";
import { Notifier } from "./notifier.js";
import { Problem, Session } from "./session.js";
import { onShortcut } from "./shortcuts.js";
import { TicketHead } from "./ticket_head.js";
import { TicketList } from "./ticket_list.js";
import { TicketSearch } from "./ticket_search.js";

/** @typedef {import("./shapes.js").Ticket} Ticket */

const { user, username, csrfCookie } = byId("desk").dataset;
const session = new Session(user, csrfCookie);
const state = new DeskState(user);
/** @type {Map<string, string>} */
const categories = new Map();
/** @type {Map<string, Conversation>} by ticket, those that are connected: the one shown, and others with something to send */
const conversations = new Map();
/** @type {Conversation | null} */
let shown = null;

const composer = new Composer(session);
const view = new ConversationView(session, (entry) => composer.takeBack(entry));
const list = new TicketList(categories, open);
const panel = new LearnerPanel((line) => head.propose(line));
const onProposed = () => panel.show(shown?.ticket.id ?? null);
const head = new TicketHead({ session, user, username, categories, state, onTicket, onProposed });
const feed = new DeskFeed({ session, state, onChange, onConnection });
const bar = new DeskBar(feed);
const notifier = new Notifier(open);
new TicketSearch(session, (found, count) => list.showFound(found, count));

/** @param {Ticket} ticket */
function open(ticket) {
  const left = shown;
  shown = connected(ticket);
  if (left) leaveIfSettled(left);
  shown.connection.retry(); // where it had been given up
  list.select(ticket.id);
  head.show(shown);
  view.show(shown);
  composer.show(shown);
  panel.show(ticket.id);
  composer.focus();
  history.replaceState(null, "", `#${ticket.id}`);
}

/** @param {Ticket} ticket @returns {Conversation} */
function connected(ticket) {
  const known = conversations.get(ticket.id);
  if (known) return known;
  const onChange = (what) => changed(conversation, what);
  const conversation = new Conversation(ticket, { session, username, store: sessionStorage, onChange });
  conversations.set(ticket.id, conversation);
  queueMicrotask(() => conversation.start()); // when the caller has said whether it is the one shown
  return conversation;
}

/** The connection of a ticket that is not shown ends when everything in it is sent. @param {Conversation} conversation */
function leaveIfSettled(conversation) {
  if (conversation === shown || !conversation.outbox.settled) return;
  if (conversations.delete(conversation.ticket.id)) conversation.stop();
}

function changed(conversation, { arrived, missed }) {
  if (conversation !== shown) return leaveIfSettled(conversation);
  if (missed) announce(`${missed} new ${missed === 1 ? "message" : "messages"}.`);
  if (arrived) view.arrived(arrived, conversation);
  renderSoon();
}

let rendering = false;

/** Once a frame at most, however much comes: thousands of messages may, after a long absence. */
function renderSoon() {
  if (rendering) return;
  rendering = true;
  requestAnimationFrame(() => {
    rendering = false;
    if (!shown) return;
    head.show(shown);
    view.render();
    composer.render();
  });
}

/** The lists have changed. */
function onChange() {
  bar.showState(state);
  list.show(state);
  if (feed.isWhole) notifier.show(state.mine);
  head.agentsChanged();
  if (shown && feed.isWhole) follow(shown);
}

let followed = ""; // the ticket that is shown, while the feed tells of it

/** What the feed says of the ticket. One that it tells of no more was closed or handed over, perhaps while nobody was connected. */
function follow(conversation) {
  const ticket = state.ticket(conversation.ticket.id);
  if (ticket) conversation.update(ticket);
  else if (followed === conversation.ticket.id) conversation.refresh();
  followed = ticket?.id ?? "";
}

/** An act of the agent's has changed a ticket. @param {Ticket} ticket */
function onTicket(ticket) {
  if (state.ticket(ticket.id)) state.put(ticket); // the feed would never say of another that it has changed again
  if (shown?.ticket.id === ticket.id) shown.update(ticket);
  onChange();
}

/** @param {number} step */
function openNeighbour(step) {
  const ticket = list.neighbour(step < 0 ? -1 : 1);
  if (ticket) open(ticket);
}

onShortcut({
  next: () => openNeighbour(1),
  previous: () => openNeighbour(-1),
  tickets: () => list.focus(),
  text: () => composer.focus(),
  learner: () => byId("desk-learner").focus(),
  search: () => byId("desk-search").focus(),
});

let begun = false;

function onConnection() {
  bar.showConnection();
  if (feed.connectionState !== "live" || begun) return;
  begun = true;
  begin().catch((error) => {
    begun = false; // the next time that it is connected
    tell(error.message);
  });
}

/** Names and ready answers; then the ticket of the address, and those for which something waits here to be sent. */
async function begin() {
  for (const each of await session.call("GET", "/chat/v1/categories/")) categories.set(each.slug, each.name);
  composer.picker.answers = await session.call("GET", "/chat/v1/canned-answers/");
  onChange();
  const [wanted, written] = [location.hash.slice(1), outboxTickets(sessionStorage, username)];
  for (const id of new Set([wanted, ...written])) {
    if (!id || shown?.ticket.id === id) continue;
    const ticket = await theirs(id, written.includes(id));
    if (ticket && id === wanted && !shown) open(ticket);
    else if (ticket) connected(ticket);
  }
}

/**
 * The ticket, or null where it is none of the agent's (any more), which they are told; the others go on.
 * @param {string} id @param {boolean} written something waits here to be sent @returns {Promise<Ticket | null>}
 */
async function theirs(id, written) {
  try {
    return await session.call("GET", `/chat/v1/tickets/${encodeURIComponent(id)}/`);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    tell(`There is no such ticket of your categories. ${written ? "What you wrote there is not sent." : ""}`);
    return null;
  }
}

feed.start();
