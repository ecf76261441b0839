"""What buying a course costs: beside pgbench, in a long ledger, and proving that ledger.

1. Purchases through the API (gunicorn as it is deployed, HTTP, token, idempotency key, all of it; without nginx) beside
   pgbench, which sends the very statements of such a purchase, recorded from PostgreSQL's log, on the same server.
   Both have the machine to themselves in turns; the clients run on it, too.
2. How long a purchase takes in the process itself (no HTTP) in a long ledger beside a short one.
3. How many postings a second the reconciliation proves.

LECTERN_BENCH_POSTINGS=10000000 makes the long ledger that long (it is 1,000,000 else).
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import ledger, replay
from bench.ledger import use
from bench.measure import BUDGET, load, nth, table
from bench.shop import Shop, shop, tokens

WITHIN = 1500
SHORT = 10_000
LONG = int(os.environ.get("LECTERN_BENCH_POSTINGS") or 1_000_000)
BUYERS = SHORT // ledger.EACH
CLIENTS = (1, 8, 32)
SAMPLES, ROUND = max(200, int(1000 * BUDGET)), 100  # purchases in each ledger, and in each turn


def main() -> None:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(TemporaryDirectory(prefix="lectern-bench-", ignore_cleanup_errors=True)))
        server = ending.enter_context(ledger.server(folder))
        ledger.fill(server, "short", SHORT)
        beside_pgbench(server, folder)
        seconds = ledger.fill(server, "long", LONG)
        print(f"\nA ledger of {LONG:,} postings, made in {seconds:.0f} s; {load()}")
        in_a_long_ledger(server)
        reconciling(server)


def beside_pgbench(server: ledger.Server, folder: Path) -> None:
    use("short")
    people = tokens(BUYERS)
    use(None)
    statements, text = replay.record(server, server.copy("short", "specimen"), people)
    script = folder / "purchase.sql"
    script.write_text(text)
    server.copy("short", "replayed")
    turns, seconds = 2, BUDGET * 2
    with shop(server, server.copy("short", "bought"), people) as ours:
        ours.rate(16, BUDGET)  # every thread of every worker has its connection and its caches
        base = 0
        for clients in CLIENTS:
            by_pgbench, by_us = [], []
            for _ in range(turns):
                by_pgbench.append(replay.pgbench(server, "replayed", script, clients, seconds, BUYERS, base))
                base += 60_000
                by_us.append(ours.rate(clients, seconds))
            goals = {"core-api over HTTP": "≥ 0.25 x"} if clients == 32 else None
            rows = [("pgbench, same statements", sum(by_pgbench) / turns), ("core-api over HTTP", sum(by_us) / turns)]
            title = f"Purchases a second, {clients} client{'s' if clients > 1 else ''}"
            table(f"{title} ({len(statements)} round trips each; {load()})", rows, "/s", goals)
        where_it_goes(server, ours, script, base)
    print("\nThe round trips of one purchase:\n")
    for statement in statements:
        print(f"  {statement[:110]}")


def where_it_goes(server: ledger.Server, ours: Shop, script: Path, base: int) -> None:
    """Processor time, which says the same whatever else the machine does: with all processors busy, rates follow it."""
    clients, seconds = 8, BUDGET * 2
    server_before, began = server.processor_seconds(), _children()
    count = replay.pgbench(server, "replayed", script, clients, seconds, BUYERS, base) * max(1, round(seconds))
    replayed = server.processor_seconds() - server_before
    rows = [("pgbench: PostgreSQL and itself", (replayed + _children() - began) / count * 1000)]
    server_before, shop_before, made = server.processor_seconds(), ledger.processor_seconds(ours.pid), ours.bought
    began = time.process_time()
    ours.rate(clients, seconds)
    made = ours.bought - made
    database = server.processor_seconds() - server_before
    shop_took = ledger.processor_seconds(ours.pid) - shop_before
    client = time.process_time() - began
    rows.append(("core-api: all of it", (database + shop_took + client) / made * 1000))
    rows.append(("  PostgreSQL", database / made * 1000))
    rows.append(("  gunicorn", shop_took / made * 1000))
    rows.append(("  the bench's clients", client / made * 1000))
    table(f"Processor time of one purchase, {clients} clients", rows, "ms")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_a_long_ledger(server: ledger.Server) -> None:
    names = {SHORT: server.copy("short", "short_bought"), LONG: "long"}
    took: dict[int, list[float]] = {postings: [] for postings in names}
    for first in range(-ROUND, SAMPLES, ROUND):  # the first round only warms up
        for postings, name in names.items():
            use(name)
            spans = list(purchases(range(first + ROUND, first + 2 * ROUND), postings // ledger.EACH))
            took[postings] += spans if first >= 0 else []
    use(None)
    for share in (0.5, 0.99):
        rows = [(f"{postings:,} postings", nth(took[postings], share)) for postings in names]
        goals = {f"{LONG:,} postings": "≤ 1.3 x"} if share == 0.99 else None
        table(f"A purchase in the process, p{share * 100:.0f} of {SAMPLES} ({load()})", rows, "ms", goals)


def purchases(numbers: Iterable[int], people: int) -> Iterable[float]:
    """Makes these purchases, by people from all over the ledger; gives the milliseconds of each."""
    from accounts.models import User
    from wallet.actions import do_purchase
    from wallet.locking import money_transaction

    for number in numbers:
        turn, place = divmod(number, people)
        buyer = User.objects.get(pk=ledger.person_id(place * 7919 % people))  # a prime: each has their turn
        began = time.perf_counter()
        with money_transaction():
            do_purchase(buyer, course=f"course-{ledger.FIRST_NEW_COURSE + turn}")
        yield (time.perf_counter() - began) * 1000


def reconciling(server: ledger.Server) -> None:
    from django.db import transaction

    from books import chains
    from books.reconcile import differences

    use("long")
    rows, busy = [], []
    for name, proof in {"chains alone": chains.differences, "all of reconcile_wallets": differences}.items():
        began, used = time.perf_counter(), server.processor_seconds() + time.process_time()
        checked = [0]
        with transaction.atomic():
            wrong = list(proof(checked.append))
        rows.append((name, max(checked) / (time.perf_counter() - began)))
        used = server.processor_seconds() + time.process_time() - used
        busy.append((f"{name}, a second of processor time", max(checked) / used))
        if wrong:
            sys.exit(f"{name}: {len(wrong)} differences, the first: {wrong[0]}")
    use(None)
    goals = dict.fromkeys((name for name, _ in rows), "≥ 100,000 /s")
    table(f"Proving {LONG:,} postings ({load()})", rows + busy, "/s", goals)


if __name__ == "__main__":
    main()
