from typing import Any

from django.core.management.base import BaseCommand

from config import jobs
from config.worker import work
from media import ffmpeg


class Command(BaseCommand):
    help = "Packages uploaded videos, one at a time, until SIGTERM. PostgreSQL only."

    def handle(self, *args: Any, **options: Any) -> None:
        work(jobs.PACKAGING, concurrency=1, on_stop=ffmpeg.stop)
