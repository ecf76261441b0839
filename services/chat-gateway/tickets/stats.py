"""How the support desk does, over a period: by category and by agent. Two queries, each part served by an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection

# What is counted for a group of tickets, of those that {opened} groups by, and so on: another column for each part, since a
# ticket's first answer, its end and its rating may be different agents'.
PARTS = """
LEFT JOIN (
    SELECT {response} AS id, count(*) AS opened, count(first_response_at) AS responded,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM first_response_at - created_at)) AS response
      FROM chat.ticket WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY 1
) o ON o.id = g.id
LEFT JOIN (
    SELECT {closing} AS id, count(*) AS closed,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - created_at)) AS resolution
      FROM chat.ticket WHERE closed_at >= %(start)s AND closed_at < %(end)s GROUP BY 1
) c ON c.id = g.id
LEFT JOIN (
    SELECT {rated} AS id, count(*) AS ratings, avg(rating)::float AS rating
      FROM chat.ticket WHERE rated_at >= %(start)s AND rated_at < %(end)s GROUP BY 1
) r ON r.id = g.id
"""
COUNTED = """
       coalesce(c.closed, 0) AS closed, coalesce(o.responded, 0) AS responded,
       o.response[1] AS response_median, o.response[2] AS response_p90,
       c.resolution[1] AS resolution_median, c.resolution[2] AS resolution_p90,
       coalesce(r.ratings, 0) AS ratings, r.rating AS rating_mean
"""
BY_CATEGORY = f"""
SELECT g.slug, g.name, coalesce(o.opened, 0) AS opened, coalesce(w.waiting, 0) AS waiting, w.oldest AS oldest_queued_at,
       {COUNTED}
  FROM (SELECT category_id AS id, slug, name, position FROM published.support_category) g
  LEFT JOIN (SELECT category_id AS id, count(*) AS waiting, min(queued_at) AS oldest
               FROM chat.ticket WHERE state = 'queued' GROUP BY 1) w ON w.id = g.id
  {PARTS.format(response="category_id", closing="category_id", rated="category_id")}
 ORDER BY g.position, g.name
"""  # noqa: S608  constants of this module
BY_AGENT = f"""
SELECT g.id, g.username, coalesce(w.open, 0) AS open, coalesce(a.assigned, 0) AS assigned,
       {COUNTED}
  FROM (SELECT DISTINCT p.user_id AS id, p.username
          FROM published.support_agent s JOIN published.principal p ON p.user_id = s.user_id) g
  LEFT JOIN (SELECT assignee_id AS id, count(*) AS open FROM chat.ticket WHERE state = 'open' GROUP BY 1) w ON w.id = g.id
  LEFT JOIN (SELECT agent_id AS id, count(*) AS assigned FROM chat.assignment
              WHERE at >= %(start)s AND at < %(end)s AND agent_id IS NOT NULL GROUP BY 1) a ON a.id = g.id
  {PARTS.format(response="first_response_by_id", closing="previous_assignee_id", rated="rated_agent_id")}
 ORDER BY g.username
"""  # noqa: S608  constants of this module


def statistics(start: datetime, end: datetime) -> dict[str, Any]:
    """As StatsSerializer. First responses are of tickets opened in the period, resolutions of tickets closed in it, for good
    so far; times in seconds since the ticket was opened."""
    period = {"start": start, "end": end}
    return {
        **period,
        "categories": list(_rows(BY_CATEGORY, period)),
        "agents": list(_rows(BY_AGENT, period)),
    }


def _rows(statement: str, period: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, period)
        names = [column.name for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            yield row | {
                "first_response": _times(row["responded"], row["response_median"], row["response_p90"]),
                "resolution": _times(row["closed"], row["resolution_median"], row["resolution_p90"]),
                "rating": {"count": row["ratings"], "mean": row["rating_mean"]},
            }


def _times(count: int, median: float | None, p90: float | None) -> dict[str, Any]:
    return {"count": count, "median_s": median, "p90_s": p90}
