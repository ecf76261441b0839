"""What it costs that every file is asked for by somebody who may have it.

Three ways to the same file in one run: plain nginx, which asks nobody; nginx with Lectern's gateway; and Django's FileResponse
behind nginx, as the seed project did it. Large files show what the bytes cost, small ones what a request costs: there the
yardstick is an ASGI application that only answers X-Accel-Redirect, without looking at anything. Core-api's views are plain
tables here (services/stream-gateway/tests/published.sql). The clients run in a process beside the servers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.ledger import processor_seconds
from bench.load import Load, apart, bulk, many, request
from bench.measure import BUDGET, table
from bench.site import Site, site

NEEDS = "servers"
WITHIN = 400
LARGE, SMALL = "video-1080-00001.m4s", "video-360-00001.m4s"
ROUNDS = 3
OLD = 40_000  # sessions that were never asked for before
IDLE_ROUNDS = 2


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as folder, site(Path(folder)) as running:
        alice = running.world.person("alice")
        running.world.enrol(alice, running.lesson)
        sessions = running.sessions(alice, OLD)
        large_files(running, sessions[0])
        small_files(running, sessions[0])
        cold(running, sessions)
        memory(running, sessions)


def asked(running: Site, way: str, name: str, session: tuple[str, str], **headers: str) -> tuple[int, bytes]:
    port = running.ports[way]
    if way == "ours":
        playback, secret = session
        cookie = {"Cookie": f"lectern_playback={secret}"}
        return port, request(f"/stream/v1/p/{playback}/{name}", port, **cookie, **headers)
    return port, request(f"/{running.lesson.path}/{name}", port, **headers)


def spent(running: Site) -> dict[str, float]:
    """Processor seconds until now, by who used them."""
    return {
        name: processor_seconds(pid)
        for name, pid in ({"nginx": running.nginx, "gateway": running.gateway} | running.apps).items()
    }


def large_files(running: Site, session: tuple[str, str]) -> None:
    ways = {"plain nginx, nobody is asked": "plain", "nginx that asks itself: the least of any gateway": "least"}
    ways |= {"an ASGI app that only says X-Accel-Redirect": "bare"}
    ways |= {"Lectern": "ours", "Django's FileResponse": "django"}
    cost, speed = dict.fromkeys(ways, float("inf")), dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for label, way in ways.items():
            port, wanted = asked(running, way, LARGE, session)
            before = spent(running)
            load = apart(bulk, port, wanted, BUDGET, 4)
            after = spent(running)
            used = sum(after.values()) - sum(before.values())
            cost[label] = min(cost[label], used / load.gigabytes)
            speed[label] = max(speed[label], load.gigabytes / load.seconds)
    table("Segments of 2 MiB: processor time", list(cost.items()), "CPU-s/GB", {"Lectern": "<= 1.10 x"})
    table("Segments of 2 MiB: throughput", list(speed.items()), "GB/s", {"Lectern": ">= 0.95 x"})


def small_files(running: Site, session: tuple[str, str]) -> None:
    ways = {
        "an ASGI app that only says X-Accel-Redirect": "bare",
        "Lectern": "ours",
        "plain nginx, the clients' own limit": "plain",
    }
    best: dict[str, Load] = {}
    for _ in range(ROUNDS):
        for label, way in ways.items():
            port, wanted = asked(running, way, SMALL, session)
            load = apart(many, port, [wanted], BUDGET, 16)
            if label not in best or load.rate > best[label].rate:
                best[label] = load
    table("Files of 4 KiB, a session that was seen before", rates(best), "/s", {"Lectern": ">= 0.90 x"})
    for name in ("p50_ms", "p99_ms"):
        table(f"The same: {name[:3]}", [(label, float(getattr(load, name))) for label, load in best.items()], "ms")


def rates(loads: Mapping[str, Load]) -> list[tuple[str, float]]:
    return [(label, load.rate) for label, load in loads.items()]


def cold(running: Site, sessions: list[tuple[str, str]]) -> None:
    port = running.ports["ours"]
    wanted = [asked(running, "ours", SMALL, session)[1] for session in sessions]
    load = apart(many, port, wanted, 4 * BUDGET, 16, True)
    table(
        f"Files of 4 KiB, a session never seen before: {load.answers} asked for",
        [("Lectern", load.rate)],
        "/s",
        {"Lectern": ">= 2000 /s"},
    )
    table("The same: p99", [("Lectern", load.p99_ms)], "ms")


def memory(running: Site, sessions: list[tuple[str, str]]) -> None:
    """The gateway's, after rounds of ten thousand sessions and of a hundred ranges at once."""
    process = psutil.Process(running.gateway)
    port = running.ports["ours"]
    wanted = [asked(running, "ours", SMALL, session)[1] for session in sessions[:10_000]]
    rows: list[tuple[str, float]] = []
    for number in range(1, IDLE_ROUNDS + 2):
        apart(many, port, wanted, 60, 16, True)
        rows.append((f"10,000 sessions, round {number}", process.memory_info().rss / 1e6))
    for number in range(1, IDLE_ROUNDS + 2):
        _, ranges = asked(running, "ours", LARGE, sessions[0], Range="bytes=1000-1999999")
        apart(bulk, port, ranges, 1, 100)
        rows.append((f"100 ranges at once, round {number}", process.memory_info().rss / 1e6))
    table("Memory of the gateway", rows, "MB")


if __name__ == "__main__":
    main()
