"""SIGTERM in the middle of it: nobody loses anything, and not everybody comes back in the same moment."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from types import SimpleNamespace

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from realtime.runtime import Runtime
from tests.conftest import url
from tests.crowd import joined
from tests.server import wait_for
from tests.sockets import Client, opened, talking


async def test_sigterm_under_load_loses_nothing_and_tells_everybody_to_come_back(own_server, world, category, ticket):
    agents = [world.agent(f"agent{n}", category[0], weight=0) for n in range(24)]
    writers = [await talking(own_server, ticket["id"], agent, None) for agent in agents[:8]]
    idle = [await joined(own_server.address, ticket["id"], agent.token()) for agent in agents[8:] for _ in range(4)]
    numbers = itertools.count()
    acknowledged: dict[str, int] = {}
    codes: list[int | None] = []

    async def write(client: Client) -> None:
        """Five messages a second, as long as one may."""
        try:
            while True:
                await client.send(type="message", client_id=f"m{next(numbers)}", message="Still here")
                await asyncio.sleep(0.2)
        except ConnectionClosed:
            pass

    async def hear(client: Client) -> None:
        try:
            while True:
                frame = await client.next("ack")
                acknowledged[frame["client_id"]] = frame["seq"]
        except ConnectionClosed as closed:
            codes.append(closed.rcvd.code if closed.rcvd else None)

    busy = [asyncio.create_task(work) for c in writers for work in (write(c), hear(c))]
    closing = [asyncio.create_task(member.closed()) for member in idle]
    await asyncio.sleep(1)
    address = own_server.url
    plain = await opened(own_server.chat(ticket["id"], f"?token={agents[23].token()}"))
    stopping = asyncio.create_task(asyncio.to_thread(own_server.stop))
    await asyncio.to_thread(wait_for, lambda: httpx.get(f"{address}/readyz").status_code == 503)
    assert await stopping in (0, -15)
    await asyncio.gather(*busy)
    assert set(await asyncio.gather(*closing)) == {1012}
    assert codes == [1012] * len(writers)
    assert await plain.closed() == 1012
    log = own_server.log.read_text()
    assert '"event":"stopping"' in log
    assert "Traceback" not in log
    assert "failed" not in log
    assert len(acknowledged) > 8

    own_server.start()
    late = await opened(own_server.chat(ticket["id"], f"?token={agents[0].token()}"), "chat.v1")
    await late.send(type="hello", since=1)
    head = (await late.next("welcome"))["head_seq"]
    heard = await late.messages(head - 1)
    assert [m["seq"] for m in heard] == list(range(2, head + 1))
    assert {m["client_id"]: m["seq"] for m in heard} == acknowledged  # what was being committed is acknowledged, too


async def test_a_message_whose_commit_takes_long_is_acknowledged_before_the_process_goes(own_server, ticket, alice):
    client = await talking(own_server, ticket["id"], alice)
    with psycopg.connect(url("chat")) as holding:
        holding.execute("SELECT FROM chat.ticket WHERE id = %s FOR UPDATE", [ticket["id"]])
        await client.send(type="message", client_id="k", message="Wait for me")
        await asyncio.to_thread(wait_for, partial(is_somebody_waiting_for, holding))
        stopping = asyncio.create_task(asyncio.to_thread(own_server.stop))
        await asyncio.to_thread(wait_for, lambda: httpx.get(f"{own_server.url}/readyz").status_code == 503)
        holding.rollback()
    assert (await client.next("ack"))["client_id"] == "k"
    assert await client.closed() == 1012
    await stopping


def is_somebody_waiting_for(holding: psycopg.Connection) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    return holding.execute(waiting, [holding.info.backend_pid]).fetchone() is not None


@pytest.mark.parametrize(("sockets", "pause"), [(73, 0.01), (5_000, 0.002)])
async def test_sockets_are_closed_one_after_the_other_within_ten_seconds(sockets, pause, monkeypatch):
    happened: list[object] = []

    async def noting(seconds):
        happened.append(seconds)

    class Socket:
        def retire(self):
            return "closed"

    def spawn(work):
        happened.append(work)
        return done

    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    hub = SimpleNamespace(sockets=lambda: [Socket()] * sockets, spawn=spawn)
    monkeypatch.setattr("realtime.runtime.asyncio.sleep", noting)
    runtime = SimpleNamespace(hub=hub, draining=False)
    await Runtime.drain(runtime)
    assert runtime.draining
    assert happened == ["closed", pause] * sockets
