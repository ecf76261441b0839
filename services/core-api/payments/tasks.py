"""Work about payments that is done later."""

from __future__ import annotations

from typing import Any

from procrastinate.contrib.django import app

from config import jobs
from payments import sandbox


@app.task(queue=jobs.DEFAULT)
def send_sandbox_webhook(event: dict[str, Any], copies: int, attempt: int) -> None:
    sandbox.send(event, copies, attempt)
