"""A school of any size, made set by set: courses with outlines and videos, enrolments, and progress in them.

Person number n is `ledger.person_id(n)`, course number n has the slug `course-n`. Every course has 15 lessons in 3 sections,
two of 5,000 words in its title, and a topic that it shares with 24 others, at any size.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from bench.ledger import FIRST, Server

TABLES = (
    *("courses_section", "courses_lesson", "media_videoasset", "media_package"),
    *("learning_enrolment", "learning_courseprogress", "learning_lessonprogress"),
)
EACH = 10  # courses of one person
SHARING = 25  # courses with one topic
LESSONS, BEGUN = 15, 5  # lessons of a course, and those of them that were begun by whoever has it


class Size(NamedTuple):
    courses: int
    enrolments: int

    @property
    def progress(self) -> int:
        """Rows of progress: five lessons begun in each course that somebody has."""
        return BEGUN * self.enrolments

    @property
    def people(self) -> int:
        return self.enrolments // EACH


def lesson_id(number: int) -> str:
    return f"01900003-0000-7000-8000-{number:012}"


def topic(course: int, size: Size) -> str:
    """The word that 25 courses share: `aquabo`, …; pronounceable, so that words are misspelt as words are."""
    number, word = course % max(1, size.courses // SHARING), ""
    for _ in range(4):
        number, syllable = divmod(number * 7 + 3, 20)
        word += SYLLABLES[syllable]
    return word + str(course % max(1, size.courses // SHARING))


SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "xi",
    "yo",
    "zu",
]


def fill(server: Server, source: str, name: str, size: Size) -> float:
    """Makes database `name` with a school of that size; gives the seconds it took."""
    began = time.monotonic()
    server.copy(source, name)
    with server.superuser(name) as connection:
        connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'; SET jit = off")
        connection.execute(
            "SET maintenance_work_mem = '512MB'; TRUNCATE courses_course CASCADE; TRUNCATE courses_category CASCADE"
        )
        connection.execute("CREATE TEMP TABLE topic (course int PRIMARY KEY, word text)")
        with connection.cursor().copy("COPY topic FROM STDIN") as copy:
            for course in range(size.courses):
                copy.write_row((course, topic(course, size)))
        given = {"courses": size.courses, "people": size.people, "first": FIRST, "each": EACH, "syllables": SYLLABLES}
        with server.without_indexes(connection, TABLES):
            connection.execute(_FILL, given)
        connection.execute("SELECT courses_search_refresh(ARRAY(SELECT id FROM courses_course))")
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")
    return time.monotonic() - began


_FILL = r"""
CREATE FUNCTION pg_temp.id(kind int, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT ('0190' || lpad(kind::text, 4, '0') || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.word(n bigint) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT string_agg((%(syllables)s::text[])[1 + (n * 31 / power(20, i))::bigint %% 20], '') FROM generate_series(0, 3) AS i $$;

INSERT INTO courses_category (slug, name) SELECT 'category-' || n, 'Category ' || n FROM generate_series(1, 10) n;
INSERT INTO courses_tag (slug, name) SELECT 'tag-' || n, 'Tag ' || n FROM generate_series(1, 50) n;
INSERT INTO accounts_user (id, password, is_superuser, username, email, name, is_active, is_staff, generation, date_joined)
SELECT ('00000000-0000-4000-8000-' || %(first)s + n)::uuid, '!', false, 'person-' || n, 'person-' || n || '@example.org', '',
       true, false, 0, now() FROM generate_series(0, %(people)s - 1) n;
INSERT INTO accounts_loginsession (id, user_id, user_agent, created_at, last_used_at, end_reason, second_factor)
SELECT ('5e551000-0000-4000-8000-' || %(first)s + n)::uuid, ('00000000-0000-4000-8000-' || %(first)s + n)::uuid, '', now(), now(),
       '', false FROM generate_series(0, least(%(people)s, 100) - 1) n;

INSERT INTO courses_course (id, slug, title, summary, description, price, category_id, level, language, status, created_at,
                            published_at, poster, ratings_count, ratings_sum)
SELECT pg_temp.id(1, n), 'course-' || n, initcap(concat_ws(' ', t.word, pg_temp.word(n * 7 %% 5000), pg_temp.word(n * 13 %% 5000))),
       'What one should know of it.',
       (SELECT string_agg(pg_temp.word((n * 17 + i * i * 29) %% 5000), ' ') FROM generate_series(1, 60) i),
       n %% 100, (SELECT id FROM courses_category WHERE slug = 'category-' || 1 + n %% 10),
       (ARRAY['beginner', 'intermediate', 'advanced'])[1 + n %% 3], (ARRAY['en', 'de'])[1 + n %% 2], 'published',
       now() - interval '30 days', now() - n * interval '1 minute', '', n %% 20, n %% 20 * (1 + n %% 5)
  FROM generate_series(0, %(courses)s - 1) n JOIN topic t ON t.course = n;
INSERT INTO courses_course_tags (course_id, tag_id)
SELECT pg_temp.id(1, n), t.id FROM generate_series(0, %(courses)s - 1) n, generate_series(0, 2) k
  JOIN courses_tag t ON true WHERE t.slug = 'tag-' || 1 + (n * 3 + k) %% 50;
INSERT INTO courses_course_instructors (course_id, user_id)
SELECT pg_temp.id(1, n), ('00000000-0000-4000-8000-' || %(first)s + n %% %(people)s)::uuid
  FROM generate_series(0, %(courses)s - 1) n;
INSERT INTO courses_section (id, course_id, title, position)
SELECT pg_temp.id(2, n * 3 + s), pg_temp.id(1, n), 'Section ' || s, s + 1
  FROM generate_series(0, %(courses)s - 1) n, generate_series(0, 2) s;
INSERT INTO courses_lesson (id, section_id, title, position, kind, body, is_preview, created_at)
SELECT pg_temp.id(3, n * 15 + l), pg_temp.id(2, n * 3 + l / 5), 'Lesson ' || l, l %% 5 + 1, 'video', '', l = 0,
       now() - interval '30 days'
  FROM generate_series(0, %(courses)s - 1) n, generate_series(0, 14) l;
INSERT INTO media_videoasset (id, lesson_id, source, status, progress, attempts, failures, error, created_at, updated_at)
SELECT pg_temp.id(4, n), pg_temp.id(3, n), 'x', 'ready', 100, 1, 0, '', now(), now()
  FROM generate_series(0, %(courses)s * 15 - 1) n;
INSERT INTO media_package (id, asset_id, lesson_id, path, duration_s, width, height, size_bytes, is_current, created_at)
SELECT pg_temp.id(5, n), pg_temp.id(4, n), pg_temp.id(3, n), 'packages/' || n, 60 + n %% 600, 640, 360, 1000, true, now()
  FROM generate_series(0, %(courses)s * 15 - 1) n;

-- Person p has the courses p * 7, p * 7 + 1, … and began the first five lessons of each.
CREATE TEMP TABLE held AS
SELECT p, k, (p * 7 + k) %% %(courses)s AS course, ('00000000-0000-4000-8000-' || %(first)s + p)::uuid AS user_id
  FROM generate_series(0, %(people)s - 1) p, generate_series(0, %(each)s - 1) k;
INSERT INTO learning_enrolment (id, user_id, course_id, source, started_at, end_reason)
SELECT pg_temp.id(6, p * %(each)s + k), user_id, pg_temp.id(1, course), 'grant', now() - interval '9 days', '' FROM held;
INSERT INTO learning_courseprogress (user_id, course_id, allowance_ms, allowance_at)
SELECT user_id, pg_temp.id(1, course), 0, now() FROM held;
INSERT INTO learning_lessonprogress (user_id, lesson_id, watched, position_ms, position_at, completed_at, updated_at)
SELECT user_id, pg_temp.id(3, course * 15 + l), '[[0, 55000]]', 55000, now() - l * interval '1 hour', now(), now()
  FROM held, generate_series(0, 4) l;
"""
