"""What it costs that every message is on the disk before it is acknowledged, and then delivered in order, once.

Rooms of two who write in turns, the next message once the last one is in both sockets (Lectern's: and acknowledged). Beside
Lectern, in the same run: a Socket.IO server with its Redis adapter (the yardstick), a bare ASGI relay, and the consumer of
Channels' tutorial with the layer that it configures. None of these asks who somebody is, acknowledges or stores. Then at half
of the most that each did, evenly: how long a message takes to the other person's socket, counted from when it was due.

The clients are one process on the same machine. Processor time a message says the same whatever else the machine does. At half
of the most fewer messages share a statement, so each costs more than at the most: how much of the machine is in use then is
printed, since what waits behind it makes the 99th percentile.
LECTERN_BENCH_SOCKETS=500 makes fewer idle sockets.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import BUDGET, load, table
from bench.rooms import Running, Site, lectern, socket_io, uvicorn
from bench.talkers import CLIENTS, Talk, idle, talk

WITHIN = 900
SOCKETS_EACH, SETTLE = 5, 3.0  # a person's; seconds
IDLE = int(os.environ.get("LECTERN_BENCH_SOCKETS") or 5_000)
LECTERN = "Lectern: stored, then acknowledged"
Kinds = dict[str, Callable[[Site, int], AbstractContextManager[Running]]]


def main() -> None:
    with ExitStack() as ending:
        folder = ending.enter_context(TemporaryDirectory(prefix="lectern-bench-", ignore_cleanup_errors=True))
        site = Site(Path(folder), ending)
        kinds: Kinds = {"Socket.IO, Redis adapter": socket_io} if site.node else {}
        kinds["bare ASGI relay"] = partial(uvicorn, name="relay")
        kinds[LECTERN] = lectern
        kinds["Channels' tutorial consumer"] = partial(uvicorn, name="tutorial")
        if not site.node:
            print("\nNo node and npm here that bring Socket.IO: its row is missing, and the relay is the yardstick.")
        for processes in (1, 2):
            measured: dict[int, dict[str, tuple[Talk, Talk]]] = {50: {}, 500: {}}
            for name, servers in kinds.items():
                with servers(site, processes) as running:
                    for rooms, talks in measured.items():
                        talks[name] = apart(talk, running, rooms)
            for rooms, talks in measured.items():
                show(f"{rooms} rooms of two, {processes} process{'es' * (processes - 1)}", talks)
        idle_sockets(site, kinds)


def apart(call: Callable[..., tuple[Talk, Talk]], running: Running, rooms: int) -> tuple[Talk, Talk]:
    """In another process."""
    with ProcessPoolExecutor(1) as process:
        run = uuid.uuid4().hex[:8]
        return process.submit(call, running.dialect, run, running.places(rooms), BUDGET, running.pids).result()


def show(title: str, talks: dict[str, tuple[Talk, Talk]]) -> None:
    most = {name: its for name, (its, _) in talks.items()}
    half = {name: its for name, (_, its) in talks.items()}
    goals = {LECTERN: "≥ 0.30 x"} if title.startswith("50 ") else None
    table(f"{title}: messages ({load()})", [(name, its.rate) for name, its in most.items()], "/s", goals)
    for share, goal in ((0.5, None), (0.99, {LECTERN: "≤ 50 ms"})):
        rows = [(name, its.ms(share)) for name, its in half.items()]
        table(f"{title}: delivery at half of that, p{share * 100:.0f}", rows, "ms", goal)
    busy = [(name, sum(its.spent.values()) / its.seconds) for name, its in half.items()]
    busy += [(f"  the clients beside {name}", its.spent[CLIENTS] / its.seconds) for name, its in half.items()]
    table(f"{title}: processors in use at half of that, of {os.cpu_count()}, the clients' included", busy, "")
    rows = []
    for name, its in most.items():
        share = 1e6 / max(its.messages, 1)
        ours = sum(used for part, used in its.spent.items() if part != CLIENTS)
        rows.append((name, ours * share))
        rows += [(f"  {part}", used * share) for part, used in its.spent.items()]
    table(f"{title}: processor time of a message, servers; below it, whose", rows, "µs")
    for name, its in most.items():
        if its.lost:
            print(f"\n  {name}: {its.lost} of {its.messages} never came")


def idle_sockets(site: Site, kinds: Kinds) -> None:
    rows = []
    for name, servers in kinds.items():
        with servers(site, 1) as running, ProcessPoolExecutor(1) as process:
            places = running.places(IDLE // (2 * SOCKETS_EACH), SOCKETS_EACH)
            pids = next(iter(running.pids.values()))
            process.submit(idle, running.dialect, running.places(1), pids, 0.5).result()  # what is loaded once
            rows.append((name, process.submit(idle, running.dialect, places, pids, SETTLE).result()))
    table(f"{IDLE:,} idle sockets: memory of each", rows, "KiB", {LECTERN: "≤ 40 KiB"})


if __name__ == "__main__":
    main()
