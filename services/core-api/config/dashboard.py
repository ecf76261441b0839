"""What the admin site's first page shows: how the platform is doing, as far as the viewer may see it.

Each figure is one query that an index, or the smallness of its table, keeps fast at 100,000 rows and more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from approvals.models import Approval
from books.models import Reconciliation
from config.charts import Chart, Series
from config.ids import earliest_uuid7
from mail.models import Mail
from media.models import VideoAsset
from payments.models import ProviderEvent
from published.models import PlaybackSession
from wallet.models import Posting

DAYS = 30
PLAYBACK = "stream_published.playback_session"
TICKETS = "chat_published.ticket_count"
LONGEST_PLAYBACK = timedelta(hours=12)  # deploy/contracts.md: then it is over


@dataclass(frozen=True)
class Figure:
    """One number with what it counts. `value` None: the service that knows has not been set up here."""

    label: str
    value: int | None
    note: str = ""
    url: str = ""
    alarming: bool = False


@dataclass(frozen=True)
class Dashboard:
    charts: list[Chart]
    figures: list[Figure]


def dashboard(viewer: User) -> Dashboard:
    """What `viewer` may see of it."""
    days = _days()
    there = _views() if viewer.has_perm("published.view_playbacksession") or _is_of_the_desk(viewer) else set()
    charts: list[tuple[bool, Callable[[], Chart]]] = [
        (viewer.has_perm("wallet.view_posting"), lambda: _sales(days)),
        (viewer.has_perm("accounts.view_user"), lambda: _new_learners(days)),
    ]
    figures: list[tuple[bool, Callable[[], Figure]]] = [
        (viewer.has_perm("published.view_playbacksession"), lambda: _playing_now(there)),
        (_is_of_the_desk(viewer), lambda: _open_tickets(there, viewer)),
        (viewer.has_perm("media.view_videoasset"), _packagings),
        (viewer.has_perm("mail.view_mail"), _waiting_mails),
        (viewer.has_perm("approvals.view_approval"), lambda: _proposals(viewer)),
        (viewer.has_perm("books.view_reconciliation"), _books),
        (viewer.has_perm("payments.view_providerevent"), _quarantined),
    ]
    return Dashboard([make() for may, make in charts if may], [make() for may, make in figures if may])


def _is_of_the_desk(viewer: User) -> bool:
    return viewer.has_perm("support.answer") or viewer.has_perm("support.lead")


def _days() -> list[date]:
    today = timezone.now().date()
    return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]


def _since(days: list[date]) -> datetime:
    return datetime.combine(days[0], time(), UTC)


def _sales(days: list[date]) -> Chart:
    """By the ids' index: a posting's id holds the time at which it was made."""
    kinds = (Posting.Kind.PURCHASE, Posting.Kind.REFUND)
    moved = Posting.objects.filter(pk__gte=earliest_uuid7(_since(days)), created_at__gte=_since(days), kind__in=kinds)
    rows = moved.annotate(day=TruncDate("created_at")).values("day", "kind").order_by().annotate(credits=Sum("amount"))
    sums = _by((row["kind"], row["day"], row["credits"]) for row in rows)
    sold = Series("sold", [sums[Posting.Kind.PURCHASE.value, day] for day in days])
    refunded = Series("refunded", [sums[Posting.Kind.REFUND.value, day] for day in days])
    return Chart("Credits sold and refunded", days, [sold, refunded])


def _new_learners(days: list[date]) -> Chart:
    joined = User.objects.filter(date_joined__gte=_since(days)).annotate(day=TruncDate("date_joined"))
    rows = joined.values("day").order_by().annotate(people=Count("pk"))
    counts = _by(("new", row["day"], row["people"]) for row in rows)
    return Chart("New learners", days, [Series("new", [counts["new", day] for day in days])])


def _by(rows: Iterable[tuple[str, date, int]]) -> dict[tuple[str, date], int]:
    numbers: dict[tuple[str, date], int] = defaultdict(int)
    numbers.update({(kind, day): number for kind, day, number in rows})
    return numbers


def _packagings() -> Figure:
    status = VideoAsset.Status
    counts = VideoAsset.objects.aggregate(
        running=Count("pk", Q(status=status.PROCESSING)),
        queued=Count("pk", Q(status=status.QUEUED)),
        failed=Count("pk", Q(status=status.FAILED)),
    )
    note = f"{counts['queued']} queued, {counts['failed']} failed"
    return Figure("Packagings running", counts["running"], note, reverse("admin:media_videoasset_changelist"))


def _waiting_mails() -> Figure:
    waiting = Mail.objects.filter(status=Mail.Status.WAITING).count()
    url = reverse("admin:mail_mail_changelist") + "?status__exact=waiting"
    kept = "" if settings.MAIL_IS_SENT else "none is sent: EMAIL_URL is not set"
    return Figure("Mails waiting", waiting, kept, url)


def _proposals(viewer: User) -> Figure:
    """Those that this viewer may decide."""
    pending = Approval.objects.filter(state=Approval.State.PENDING).exclude(proposed_by=viewer).exclude(person=viewer)
    url = reverse("admin:approvals_approval_changelist") + "?state__exact=pending"
    return Figure("Waiting for your approval", pending.count(), "refunds, adjustments, extensions", url)


def _books() -> Figure:
    run = Reconciliation.objects.order_by("-id").first()
    url = reverse("admin:books_reconciliation_changelist")
    if run is None:
        return Figure("Differences in the books", None, "proved every night by the worker; not yet", url)
    note = f"of {run.postings:,} postings, {run.started_at:%Y-%m-%d %H:%M}"
    return Figure("Differences in the books", run.differences, note, url, alarming=run.differences > 0)


def _quarantined() -> Figure:
    waiting = ProviderEvent.objects.filter(outcome=ProviderEvent.Outcome.QUARANTINED, handled_at__isnull=True)
    quarantined = waiting.count()
    url = reverse("admin:payments_providerevent_changelist") + "?waiting=yes"
    return Figure("Payments in quarantine", quarantined, "they match no top-up", url, alarming=quarantined > 0)


def _playing_now(there: set[str]) -> Figure:
    if PLAYBACK not in there:
        return Figure("Playing now", None, "stream-gateway is not set up here")
    recent = timezone.now() - LONGEST_PLAYBACK
    playing = PlaybackSession.objects.filter(ended_at__isnull=True, started_at__gt=recent).count()
    return Figure("Playing now", playing, "", reverse("admin:published_playbacksession_changelist") + "?playing=yes")


def _open_tickets(there: set[str], viewer: User) -> Figure:
    desk = reverse("desk") if viewer.has_perm("support.answer") else ""
    if TICKETS not in there:
        return Figure("Open tickets", None, "chat-gateway is not set up here", desk)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT state, sum(tickets)::bigint FROM {TICKETS} WHERE state <> 'closed' GROUP BY state")  # noqa: S608  a constant
        tickets = dict(cursor.fetchall())
    waiting = f"{tickets.get('queued', 0)} of them wait for an agent"
    return Figure("Open tickets", sum(tickets.values()), waiting, desk)


def _views() -> set[str]:
    """Which of the other services' views are there for us to read: each has migrations of its own."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE has_table_privilege(to_regclass(name), 'SELECT')",
            [[PLAYBACK, TICKETS]],
        )
        found: list[Any] = cursor.fetchall()
    return {name for (name,) in found}
