from typing import Any

from django.core.management.base import BaseCommand

from config import jobs
from config.worker import work


class Command(BaseCommand):
    help = "Runs background jobs (mail, clean-up and the like) until SIGTERM. PostgreSQL only."

    def handle(self, *args: Any, **options: Any) -> None:
        work(jobs.DEFAULT, concurrency=4)
