"""Finding courses by words. On PostgreSQL by an index of words (migration 0006), else by plain matching."""

from __future__ import annotations

from django.db import connection
from django.db.models import FloatField, Q, QuerySet
from django.db.models.expressions import RawSQL

from courses.models import Course

_FORGET = "SELECT courses_search_forget(%s)"
_MATCHING = "SELECT course_id FROM courses_searchentry WHERE words @@ (SELECT courses_search_query(%s))"
# The sub-queries without a column of the row are done once, not once a row.
_RELEVANCE = """(
    SELECT ts_rank(words, (SELECT courses_search_query(%s))) + coalesce(ts_rank(words, (SELECT courses_search_exact(%s))), 0)
      FROM courses_searchentry WHERE course_id = courses_course.id)"""


def on_sale(courses: QuerySet[Course], asked: str) -> QuerySet[Course]:
    """Those of the published courses that have all words asked for: as they are, as beginnings, or misspelt. With
    `relevance`, the higher the better."""
    if connection.vendor != "postgresql":
        return plainly(courses, asked)
    return courses.filter(pk__in=RawSQL(_MATCHING, [asked])).annotate(  # noqa: S611  constant text, parameters apart
        relevance=RawSQL(_RELEVANCE, [asked, asked], output_field=FloatField())  # noqa: S611  as above
    )


def plainly(courses: QuerySet[Course], asked: str) -> QuerySet[Course]:
    """Courses of any status whose title or summary has all words asked for, anywhere."""
    matches = Q()
    for word in asked.split():
        matches &= Q(title__icontains=word) | Q(summary__icontains=word)
    return courses.filter(matches)


def do_forget(*names: str) -> None:
    """Of these names, the words that stand in no course, and would only be misspellings' to be taken for. For who is erased."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [" ".join(names)])
