"""What it costs that every message is on the disk before it is acknowledged, and then delivered in order, once.

Rooms of two who write in turns, the next message once the last one is in both sockets (Lectern's: and acknowledged). Beside
Lectern, in the same run: a Socket.IO server with its Redis adapter (the yardstick), a bare ASGI relay, and the consumer of
Channels' tutorial with the layer that it configures. None of these asks who somebody is, acknowledges or stores. Then at half
of the most that each did, evenly: how long a message takes to the other person's socket, counted from when it was due.

The clients are one process on the same machine. Processor time a message says the same whatever else the machine does. At half
of the most fewer messages share a statement, so each costs more than at the most: how much of the machine is in use then is
printed, since what waits behind it makes the 99th percentile. All take turns, three times, and the median of each figure counts:
what processors do in two seconds, one has in the next two a third more of (LECTERN_BENCH_ROUNDS=1 is quicker).
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
from statistics import median
from tempfile import TemporaryDirectory

from bench.measure import BUDGET, load, table
from bench.rooms import Running, Site, lectern, socket_io, uvicorn
from bench.talkers import CLIENTS, Talk, idle, talk

WITHIN = 1800
SOCKETS_EACH, SETTLE = 5, 3.0  # a person's; seconds
ROUNDS = int(os.environ.get("LECTERN_BENCH_ROUNDS") or 3)
IDLE = int(os.environ.get("LECTERN_BENCH_SOCKETS") or 5_000)
MOST, HALF = 0, 1
LECTERN = "Lectern: stored, then acknowledged"
Kinds = dict[str, Callable[[Site, int], AbstractContextManager[Running]]]
Talks = dict[str, list[tuple[Talk, Talk]]]  # at the most and at half of it, a pair a round


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
            measured: dict[int, Talks] = {50: {name: [] for name in kinds}, 500: {name: [] for name in kinds}}
            for name, servers in list(kinds.items()) * ROUNDS:
                with servers(site, processes) as running:
                    for rooms, talks in measured.items():
                        talks[name].append(apart(talk, running, rooms))
            for rooms, talks in measured.items():
                show(f"{rooms} rooms of two, {processes} process{'es' * (processes - 1)}", talks)
        idle_sockets(site, kinds)


def apart(call: Callable[..., tuple[Talk, Talk]], running: Running, rooms: int) -> tuple[Talk, Talk]:
    """In another process."""
    with ProcessPoolExecutor(1) as process:
        run = uuid.uuid4().hex[:8]
        return process.submit(call, running.dialect, run, running.places(rooms), BUDGET, running.pids).result()


def show(title: str, talks: Talks) -> None:
    goals = {LECTERN: "≥ 0.30 x"} if title.startswith("50 ") else None
    table(f"{title}: messages ({load()})", rows(talks, MOST, lambda its: its.rate), "/s", goals)
    for share, goal in ((0.5, None), (0.99, {LECTERN: "≤ 50 ms"})):
        waited = rows(talks, HALF, lambda its, share=share: its.ms(share))
        table(f"{title}: delivery at half of that, p{share * 100:.0f}", waited, "ms", goal)
    busy = rows(talks, HALF, lambda its: sum(its.spent.values()) / its.seconds)
    busy += [(f"  the clients beside {name}", used) for name, used in rows(talks, HALF, lambda its: its.busy(CLIENTS))]
    table(f"{title}: processors in use at half of that, of {os.cpu_count()}, the clients' included", busy, "")
    spent = []
    for name, its in talks.items():
        parts = list(its[0][MOST].spent)
        spent += rows({name: its}, MOST, lambda its: sum(map(its.spent_each, its.spent)) - its.spent_each(CLIENTS))
        spent += [(f"  {part}", median(most.spent_each(part) for most, _ in its)) for part in parts]
    table(f"{title}: processor time of a message, servers; below it, whose", spent, "µs")
    for name, its in talks.items():
        if lost := sum(most.lost for most, _ in its):
            print(f"\n  {name}: {lost} of {sum(most.messages for most, _ in its)} never came")


def rows(talks: Talks, which: int, figure: Callable[[Talk], float]) -> list[tuple[str, float]]:
    """The median of a figure, by name."""
    return [(name, median(figure(each[which]) for each in its)) for name, its in talks.items()]


def idle_sockets(site: Site, kinds: Kinds) -> None:
    sizes = []
    for name, servers in kinds.items():
        with servers(site, 1) as running, ProcessPoolExecutor(1) as process:
            places = running.places(IDLE // (2 * SOCKETS_EACH), SOCKETS_EACH)
            pids = next(iter(running.pids.values()))
            process.submit(idle, running.dialect, running.places(1), pids, 0.5).result()  # what is loaded once
            sizes.append((name, process.submit(idle, running.dialect, places, pids, SETTLE).result()))
    table(f"{IDLE:,} idle sockets: memory of each", sizes, "KiB", {LECTERN: "≤ 40 KiB"})


if __name__ == "__main__":
    main()
