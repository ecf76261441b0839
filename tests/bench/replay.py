"""The SQL statements of one purchase, as PostgreSQL got them, and a pgbench script that makes other purchases of them."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from http.client import HTTPConnection
from pathlib import Path

from bench.ledger import FIRST, FIRST_NEW_COURSE, PRICE, Server, person_id, session_id
from bench.shop import Shop, shop

BALANCE, HEAD_SEQ, HEAD_HASH = 987_654_321, 123_456_789, hashlib.sha256(b"specimen").hexdigest()  # found nowhere else
_LOGGED = re.compile(r"^[^\t\n]*? LOG:  statement: (.*(?:\n\t.*)*)", re.M)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MADE = {  # what a purchase makes: where its id is
    "order": "SELECT id FROM wallet_order WHERE id = %s",
    "line": "SELECT id FROM wallet_orderline WHERE order_id = %s",
    "enrolment": "SELECT e.id FROM learning_enrolment e JOIN wallet_orderline l ON l.id = order_line_id WHERE order_id = %s",
    "posting": "SELECT id FROM wallet_posting WHERE order_id = %s",
    "key": "SELECT id FROM wallet_idempotencykey WHERE answer LIKE '%%' || %s::text || '%%'",
}


def record(server: Server, database: str, tokens: list[str]) -> tuple[list[str], str]:
    """The statements of a purchase by a process that is warm, in order; and the same as a pgbench script."""
    with server.superuser(database) as connection:
        connection.execute("ALTER ROLE lectern_core SET log_statement = 'all'")
        try:
            with shop(server, database, tokens) as ours:
                http = HTTPConnection("127.0.0.1", ours.port, timeout=30)
                for number in range(1, 9):  # the very first one is the specimen
                    ours.buy(http, number)  # by the same worker: now it has its connection and the key of tokens
                _make_distinct(server, database)
                statements, order = _log_of_one(server, ours, http)
                http.close()
        finally:
            connection.execute("ALTER ROLE lectern_core RESET log_statement")
        literals = {name: str(_one(server, database, query, order)) for name, query in MADE.items()}
        new_hash = _one(server, database, "SELECT encode(hash, 'hex') FROM wallet_posting WHERE order_id = %s", order)
        course = _one(server, database, "SELECT course_id FROM wallet_orderline WHERE order_id = %s", order)
        wallet = _one(server, database, "SELECT account_id FROM wallet_wallet WHERE user_id = %s", person_id(0))
    return statements, _script(statements, literals, str(new_hash), str(course), str(wallet))


def _make_distinct(server: Server, database: str) -> None:
    """Gives the first person's wallet numbers that can be told from all others in a statement."""
    with server.superuser(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE wallet_wallet SET balance = %s, head_seq = %s, head_hash = decode(%s, 'hex') WHERE user_id = %s",
            [BALANCE, HEAD_SEQ, HEAD_HASH, person_id(0)],
        )


def _log_of_one(server: Server, ours: Shop, http: HTTPConnection) -> tuple[list[str], str]:
    log = server.postgres.home / "postgres.log"
    before = log.stat().st_size
    order = str(ours.buy(http, 0)["id"])
    with log.open() as file:
        file.seek(before)
        found = _LOGGED.findall(file.read())
    return [" ".join(statement.split()) for statement in found], order


def _one(server: Server, database: str, query: str, value: str) -> object:
    with server.superuser(database) as connection:
        row = connection.execute(query, [value]).fetchone()
    assert row is not None
    return row[0]


def _script(statements: list[str], literals: dict[str, str], new_hash: str, course: str, wallet: str) -> str:
    """pgbench fills in `:name`, in quotes too. An id is a fixed text that ends with the twelve digits of a number."""
    others = {
        person_id(0): f"{person_id(0)[:24]}:person",
        session_id(0): f"{session_id(0)[:24]}:person",
        **{id: f"019a0000-0000-7000-800{place}-:k" for place, id in enumerate(literals.values())},
        course: ":course_id",
        wallet: ":account_id",
        "bench-0": "bench-:k",
        f"course-{FIRST_NEW_COURSE}": "course-:course",
        f"Course {FIRST_NEW_COURSE}": "Course :course",
        new_hash: f"{'ab' * 26}:k",
        f"\\x{HEAD_HASH}": ":head_hash",
        str(BALANCE): ":balance",
        str(BALANCE - PRICE): ":after",
        str(HEAD_SEQ): ":head_seq",
        str(HEAD_SEQ + 1): ":seq",
    }
    lines = [
        "\\set i :i + 1",
        "\\set n :base + :i * :clients + :client_id",
        f"\\set k {FIRST} + :n",
        f"\\set person {FIRST} + :n % :people",
        f"\\set course {FIRST_NEW_COURSE} + :n / :people",
    ]
    others |= {
        literal.replace("-", ""): other.replace("-", "") for literal, other in others.items() if _ID.fullmatch(literal)
    }
    wallet = wallet.replace("-", "")  # as Django writes ids; in answers they have hyphens
    locked = False
    for statement in statements:
        if not locked and wallet in statement:  # the lock: it gives the wallet's id, which follows from the person's
            locked = True
            by_person = f"(SELECT account_id FROM wallet_wallet WHERE user_id = '{others[person_id(0)]}')"
            statement = re.sub(rf"'{wallet}'(::uuid)?", by_person, statement)
            lines += [f"{statement} \\gset", f"\\set after :balance - {PRICE}", "\\set seq :head_seq + 1"]
            continue
        bought = f"'course-{FIRST_NEW_COURSE}'" in statement and statement.startswith("SELECT")
        for literal, other in others.items():
            statement = statement.replace(literal, other)
        lines.append(f"{statement} \\gset course_" if bought else f"{statement};")
    return "\n".join(lines) + "\n"


def pgbench(server: Server, database: str, script: Path, clients: int, seconds: float, people: int, base: int) -> float:
    """Purchases a second of pgbench. Raises RuntimeError with what it said if one fails."""
    variables = {"i": 0, "base": base, "clients": clients, "people": people}
    command = [
        *(str(server.postgres.bin / "pgbench"), "--no-vacuum", f"--client={clients}", f"--jobs={min(clients, 2)}"),
        *(f"--time={max(1, round(seconds))}", f"--file={script}"),
        *(part for name, value in variables.items() for part in ("--define", f"{name}={value}")),
        server.core_url(database),
    ]
    settings = "-c search_path=core -c statement_timeout=30s -c lock_timeout=2s"
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PGOPTIONS": settings})
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    if done.returncode or rate is None:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
    return float(rate[1])
