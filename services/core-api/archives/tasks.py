"""Clean-up that runs by itself (the worker's clock; on SQLite the next import does it)."""

from __future__ import annotations

from procrastinate.contrib.django import app

from archives.journal import clear_abandoned
from config import jobs


@app.periodic(cron="23 * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="clear_abandoned_imports")
def clear_abandoned_imports(timestamp: int | None = None) -> None:
    """Removes the files that killed imports left."""
    clear_abandoned()
