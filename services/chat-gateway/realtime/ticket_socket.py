"""/ws/chat/{ticket}/: takes a person's messages and delivers everybody's (delivery.py does the sending)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, TypeVar

import structlog

from realtime import frames, handshake, metrics
from realtime.delivery import Outbox, Writer
from realtime.handshake import FAILED, FORBIDDEN
from realtime.sockets import LiveSocket, Shut
from realtime.store import OUTAGE, ConnectPass, Refused
from tickets import texts
from tickets.errors import AttachmentNotReady
from tickets.events import Signal, TicketEvent
from tickets.people import Person
from tickets.sql import MessageRow, NoteRow, TicketFacts

R = TypeVar("R", MessageRow, NoteRow)
Append = Callable[[Person, uuid.UUID, str, str | None], Awaitable[R]]

log = structlog.get_logger()


def named(attachment: str) -> uuid.UUID:
    """What is no id is the id of nothing."""
    try:
        return uuid.UUID(attachment)
    except ValueError as error:
        raise AttachmentNotReady from error


class TicketSocket(LiveSocket):
    incoming = frames.INCOMING
    changes: int  # the hub's count, when this socket looked at its ticket
    facts: TicketFacts  # what it was told of its ticket last

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.ticket = handshake.ticket_id(scope["url_route"]["kwargs"]["ticket"])
        self.writer: Writer[MessageRow] | None = None
        self.note_writer: Writer[NoteRow] | None = None
        self.writing: list[asyncio.Task[None]] = []
        self.outbox: Outbox | None = None  # from hello on
        await super().__call__(scope, receive, send)

    def opened_by(self, used: ConnectPass) -> bool:
        return used.ticket is not None and used.ticket == self.ticket

    async def check(self) -> None:
        self.changes = self.runtime.hub.changes
        facts = await self.runtime.store.look(self.ticket) if self.ticket else None
        if facts is None or not self.person.may_see(facts):
            raise Shut(FORBIDDEN)
        if not self.inside:
            self.facts = facts

    def enter(self) -> None:
        self.runtime.hub.enter(self.facts.id, self)
        if self.changes != self.runtime.hub.changes:
            self.runtime.hub.look_soon(self.facts.id)  # it may have changed between the look at it and now

    def leave(self) -> None:
        self._stop_writing()
        self.writing.clear()
        self.writer = self.note_writer = self.outbox = None  # which hold it: nothing is left for the garbage collector
        self.runtime.hub.exit(self.facts.id, self)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Plain frames have no word for reading, so what somebody was sent who then said good-bye counts as read.

        A lost connection says nothing of what arrived; uvicorn gives it no reason, not even an empty one.
        """
        said_good_bye = "reason" in message and self.code is None
        if self.writer and self.writer.sent and said_good_bye and not self.shaken.typed:
            self.runtime.hub.spawn(self._mark_read(self.person, self.writer.sent))
        await super().websocket_disconnect(message)

    def about(self) -> dict[str, str]:
        return {"ticket": str(self.ticket)}

    async def begin(self) -> None:
        if not self.shaken.typed:
            self._deliver_from(self.shaken.since, self.facts.head_seq)

    # --- frames in

    async def plain(self, text: str) -> None:
        await self._say(frames.read_plain(text), None)

    async def act(self, frame: frames.Incoming) -> None:
        match frame:
            case frames.SendMessage():
                await self._say(frame.message, frame.client_id, frame.attachment)
            case frames.SendNote():
                await self._note(frame.note, frame.client_id)
            case frames.Hello():
                await self._greet(frame)
            case frames.Sync():
                facts = await self.runtime.store.look(self.facts.id) or self.facts
                self._deliver_from(frame.since, facts.head_seq)
                if frame.since_note is not None:
                    self._deliver_notes_from(frame.since_note, facts.head_note_seq)
            case frames.Typing():
                self._signal("typing")
            case frames.Read():
                await self._mark_read(await self.still_allowed(), frame.seq)

    async def _mark_read(self, person: Person, seq: int) -> None:
        moved = await self.runtime.store.mark_read(person, self.facts.id, seq)
        if moved is not None:
            self._signal("read", moved)

    async def _greet(self, frame: frames.Hello) -> None:
        """Tells how far the ticket is, starts, and tells who is here and who has read how far."""
        facts, marks = await self.runtime.store.greet(self.facts.id) or (self.facts, [])
        notes = {"head_note_seq": facts.head_note_seq} if self.person.answers(facts) else {}
        await self.tell(frames.welcome(facts.head_seq, **notes))
        self.outbox = self.outbox or Outbox(self.tell)
        self._deliver_from(frame.since, facts.head_seq)
        self._deliver_notes_from(frame.since_note, facts.head_note_seq)
        present = self.runtime.hub.present(facts.id)
        for signal in [*marks, *(Signal("presence", facts.id, user, name) for user, name in present.items())]:
            self.signalled(signal)
        self.runtime.hub.tell_others(Signal("who", facts.id, self.person.id, self.person.username))

    async def _say(self, body: str, client_id: str | None, attachment: str | None = None) -> None:
        append = self.runtime.store.append
        try:
            if attachment is not None:
                append = partial(append, attachment=named(attachment))
            with metrics.APPENDING.time():
                row = await self._kept(append, body, client_id, ("ticket_closed", "Reopen it to go on."))
        except AttachmentNotReady:
            await self._refuse(AttachmentNotReady.code, AttachmentNotReady.detail, client_id)
            return
        if row is None:
            return
        ack = None if client_id is None else frames.ack(client_id, seq=row.seq)
        acknowledged = ack is None or self.tell_now(ack)
        self.runtime.hub.committed(self.facts.id, row)  # even if the sender is gone meanwhile, or does not read
        if ack is not None and not acknowledged:
            await self.tell(ack)

    async def _note(self, body: str, client_id: str | None) -> None:
        if not self.person.answers(self.facts):
            await self._refuse("permission_denied", "Notes are for the agents of the ticket.", client_id)
            return
        gone = ("ticket_erased", "Who asked is erased; nothing can be noted any more.")
        row = await self._kept(self.runtime.store.append_note, body, client_id, gone)
        if row is None:
            return
        self.runtime.hub.announce(TicketEvent(self.facts.id, 0, note_seq=row.seq))
        if client_id is not None:
            await self.tell(frames.ack(client_id, note_seq=row.seq))

    async def _kept(self, append: Append[R], body: str, client_id: str | None, refused_as: tuple[str, str]) -> R | None:
        """The committed row; or None, and the person was told why."""
        try:
            body = texts.clean(body)
            client_id = client_id if client_id is None else texts.clean_client_id(client_id)
            return await append(await self.still_allowed(), self.facts.id, body, client_id)
        except texts.BadText as error:
            await self._refuse("invalid", str(error), client_id)
        except Refused as refused:
            if refused.facts is None or not self.person.may_see(refused.facts):
                raise Shut(FORBIDDEN) from refused
            await self._refuse(*refused_as, client_id)
        except OUTAGE:
            await self._refuse("unavailable", "Not acknowledged. Send it again shortly.", client_id)
        return None

    async def _refuse(self, code: str, detail: str, client_id: str | None) -> None:
        about = {} if client_id is None else {"client_id": client_id}
        await self.tell(frames.error(code, detail, **about))

    def _signal(self, kind: str, value: int = True) -> None:
        self.runtime.hub.announce(Signal(kind, self.facts.id, self.person.id, self.person.username, value))

    # --- frames out

    def _deliver_from(self, since: int | None, head: int) -> None:
        """From `since` on; one beyond the newest message would miss what comes next, so it counts as the newest."""
        cursor = head if since is None else min(since, head)
        if self.writer:
            self.writer.restart(cursor)
        else:
            self.writer = Writer(cursor, self._read, self._deliver, self._deliver_now)
            self._follow(self.writer)

    def _deliver_notes_from(self, since: int | None, head: int) -> None:
        if not self.person.answers(self.facts):
            return
        cursor = head if since is None else min(since, head)
        if self.note_writer:
            self.note_writer.restart(cursor)
        else:
            self.note_writer = Writer(cursor, self._read_notes, self._deliver_note, lambda _note: False)
            self._follow(self.note_writer)

    def _follow(self, writer: Writer[Any]) -> None:
        self.writing.append(asyncio.create_task(self._write(writer)))

    async def _write(self, writer: Writer[Any]) -> None:
        try:
            await writer.run()
        except OSError:
            pass  # the peer is gone; the connection says so too
        except Shut as shut:
            await self.shut(shut.code)
        except Exception:
            log.exception("delivery_failed", **self.about())
            await self.shut(FAILED)

    async def _read(self, after: int, limit: int) -> list[MessageRow]:
        return await self.runtime.store.messages_after(self.facts.id, after, limit)

    async def _deliver(self, row: MessageRow) -> None:
        await self.tell(self._frame(row))
        metrics.DELIVERED.inc()

    def _deliver_now(self, row: MessageRow) -> bool:
        if sent := self.tell_now(self._frame(row)):
            metrics.DELIVERED.inc()
        return sent

    def _frame(self, row: MessageRow) -> str:
        return frames.message(row) if self.shaken.typed else frames.plain_message(row)

    async def _read_notes(self, after: int, limit: int) -> list[NoteRow]:
        return await self.runtime.store.notes_after(self.facts.id, after, limit)

    async def _deliver_note(self, row: NoteRow) -> None:
        if not self.person.answers(self.facts):  # the moment before it is closed: an agent there no more
            raise Shut(FORBIDDEN)
        await self.tell(frames.note(row))

    async def shut(self, code: int) -> None:
        if self.code is None:
            self._stop_writing()
        await super().shut(code)

    def _stop_writing(self) -> None:
        """A writer that closes its own socket ends by itself."""
        for writer in (self.writer, self.note_writer):
            if writer:
                writer.stop()
        for task in self.writing:
            if task is not asyncio.current_task():
                task.cancel()

    # --- what the hub tells

    def hand(self, row: MessageRow) -> None:
        if self.writer:
            self.writer.hand(row)

    def wake(self, seq: int, note_seq: int) -> None:
        if self.writer:
            self.writer.wake(seq)
        if self.note_writer:
            self.note_writer.wake(note_seq)

    def ticket_changed(self, facts: TicketFacts) -> None:
        """Another state, agent or category; who may see it no more goes."""
        self.facts = facts
        if not self.person.may_see(facts):
            self.runtime.hub.spawn(self.shut(FORBIDDEN))
        else:
            self._put("assigned", frames.assigned(facts.state, facts.assignee_username))

    def signalled(self, signal: Signal) -> None:
        """Somebody is typing, is here, has read. One's own reading is told to one's other devices, too."""
        if signal.kind == "read" or signal.user != self.person.id:
            self._put((signal.kind, signal.user), frames.signal(signal))

    def _put(self, key: Hashable, frame: str) -> None:
        if self.outbox and self.outbox.put(key, frame):
            self.runtime.hub.spawn(self._send_what_waits(self.outbox))

    async def _send_what_waits(self, outbox: Outbox) -> None:
        try:
            await outbox.run()
        except OSError:
            pass  # the peer is gone
        except Shut as shut:
            await self.shut(shut.code)
