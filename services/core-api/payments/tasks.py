"""Work about payments that is done later, or again and again (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

from typing import Any

from procrastinate.contrib.django import app

from config import jobs
from payments import catching_up, sandbox


@app.task(queue=jobs.DEFAULT)
def send_sandbox_webhook(event: dict[str, Any], copies: int, attempt: int) -> None:
    sandbox.send(event, copies, attempt)


@app.periodic(cron="* * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="ask_about_pending_topups", lock="ask_about_pending_topups")
def ask_about_pending_topups(timestamp: int | None = None) -> None:
    catching_up.ask_about_pending_topups()


@app.periodic(cron="* * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="carry_out_pending_refunds", lock="carry_out_pending_refunds")
def carry_out_pending_refunds(timestamp: int | None = None) -> None:
    catching_up.carry_out_pending_refunds()
