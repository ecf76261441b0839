"""The bytes on a WebSocket: what gathers leaves whole, in order, and before an end."""

from __future__ import annotations

import asyncio

import pytest
from websockets.frames import Frame, Opcode

from realtime.wire import TOGETHER, Gathered, text_frame


@pytest.mark.parametrize("text", ["", "é" * 62, "x" * 125, "x" * 126, "x" * 0xFFFF, "x" * 0x10000])
def test_a_text_frame_is_what_websockets_makes(text):
    assert text_frame(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self.unread = 0  # bytes that the other side has not taken
        self.aborted = asyncio.Event()

    def write(self, data) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True
        self.aborted.set()

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def test_what_is_written_in_one_turn_leaves_together_and_a_lot_at_once():
    wire = Wire()
    gathered = Gathered(wire, asyncio.get_running_loop())
    gathered.write(b"a")
    gathered.write(b"b")
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"ab"]
    gathered.write(b"x" * TOGETHER)
    gathered.write(b"y")
    assert wire.written == [b"ab", b"x" * TOGETHER + b"y"]
    await asyncio.sleep(0)
    assert len(wire.written) == 2


async def test_what_was_written_leaves_before_a_close_and_not_after_an_abort():
    closed, aborted = Wire(), Wire()
    for wire in (closed, aborted):
        gathered = Gathered(wire, asyncio.get_running_loop())
        gathered.write(b"last")
        gathered.close() if wire is closed else gathered.abort()
        await asyncio.sleep(0)
    assert closed.written == [b"last"]
    assert aborted.written == []


async def test_who_does_not_read_what_was_sent_is_not_waited_for_after_a_close(monkeypatch):
    monkeypatch.setattr("realtime.wire.LINGER", 0.01)
    reads, stalled = Wire(), Wire()
    stalled.unread = 1
    for wire in (reads, stalled):
        Gathered(wire, asyncio.get_running_loop()).close()
    await asyncio.wait_for(stalled.aborted.wait(), 10)
    assert not reads.aborted.is_set()
