-- What core-api publishes to the other services, version 1. The columns are a contract: deploy/contracts.md.
-- `manage.py migrate` drops and makes these again around every schema change, in one transaction.

-- What a person may do by themselves, by their groups, and by `learner`, which everybody is (accounts/backends.py).
CREATE VIEW published.principal AS
SELECT u.id AS user_id,
       u.username::text AS username,
       u.name::text AS name,
       u.is_active AND u.erased_at IS NULL AS is_active,
       u.generation::int AS generation,
       ARRAY(SELECT g.name::text
               FROM core.accounts_user_groups m JOIN core.auth_group g ON g.id = m.group_id
              WHERE m.user_id = u.id
              UNION SELECT 'learner'
              UNION SELECT 'admin' WHERE u.is_superuser
              ORDER BY 1) AS roles,
       ARRAY(SELECT t.app_label || '.' || p.codename
               FROM core.auth_permission p JOIN core.django_content_type t ON t.id = p.content_type_id
              WHERE u.is_active
                AND (u.is_superuser
                     OR p.id IN (SELECT o.permission_id FROM core.accounts_user_user_permissions o WHERE o.user_id = u.id)
                     OR p.id IN (SELECT gp.permission_id
                                   FROM core.auth_group_permissions gp
                                   JOIN core.auth_group g ON g.id = gp.group_id
                                  WHERE g.name = 'learner'
                                     OR g.id IN (SELECT m.group_id FROM core.accounts_user_groups m WHERE m.user_id = u.id)))
              ORDER BY 1) AS permissions,
       u.erased_at
  FROM core.accounts_user u;

-- An access token lives for ten minutes, a playback session for twelve hours: what ended a day ago needs no refusing any more.
CREATE VIEW published.ended_session AS
SELECT s.id AS session_id, s.user_id, s.ended_at
  FROM core.accounts_loginsession s
 WHERE s.ended_at > now() - interval '1 day';

-- `video_status` is what a viewer meets: `ready` as long as there is a package, also while another is being made.
CREATE VIEW published.lesson AS
SELECT l.id AS lesson_id,
       c.id AS course_id,
       c.slug::text AS course_slug,
       c.title::text AS course_title,
       l.title::text AS title,
       l.kind::text AS kind,
       l.is_preview,
       c.status = 'published' AS is_published,
       CASE WHEN p.id IS NOT NULL THEN 'ready'
            ELSE coalesce((SELECT a.status::text FROM core.media_videoasset a
                            WHERE a.lesson_id = l.id ORDER BY a.created_at DESC, a.id DESC LIMIT 1), 'none')
        END AS video_status,
       p.id AS package_id,
       p.duration_s
  FROM core.courses_lesson l
  JOIN core.courses_section s ON s.id = l.section_id
  JOIN core.courses_course c ON c.id = s.course_id
  LEFT JOIN core.media_package p ON p.lesson_id = l.id AND p.is_current;

CREATE VIEW published.package AS
SELECT p.id AS package_id, p.lesson_id, p.path::text AS path, p.duration_s, p.created_at
  FROM core.media_package p;

CREATE VIEW published.caption AS
SELECT c.lesson_id, c.language::text AS language, c.label::text AS label, c.path::text AS path
  FROM core.media_caption c;

CREATE VIEW published.attachment AS
SELECT a.id AS attachment_id,
       a.lesson_id,
       a.name::text AS name,
       a.content_type::text AS content_type,
       a.size_bytes,
       a.path::text AS path
  FROM core.media_attachment a;

CREATE VIEW published.instructor AS
SELECT i.course_id, i.user_id
  FROM core.courses_course_instructors i;

-- One row for each person and lesson that is open to them now. Of several reasons to have a course the one that lasts longest
-- counts; each opens by itself the lessons that open some days after enrolment. (courses/opening.py says the same.)
CREATE VIEW published.lesson_access AS
SELECT e.user_id,
       l.id AS lesson_id,
       p.id AS package_id,
       CASE WHEN bool_or(e.valid_until IS NULL) THEN NULL ELSE max(e.valid_until) END AS valid_until
  FROM core.learning_enrolment e
  JOIN core.courses_section s ON s.course_id = e.course_id
  JOIN core.courses_lesson l ON l.section_id = s.id
  LEFT JOIN core.media_package p ON p.lesson_id = l.id AND p.is_current
 WHERE e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > now())
   AND (l.opens_on IS NULL OR l.opens_on <= now())
   AND (l.opens_after_days IS NULL OR e.started_at + l.opens_after_days * interval '24 hours' <= now())
 GROUP BY e.user_id, l.id, p.id;

-- One row for each person and lesson of a course that they have which opens later: a sentence for who tries it now.
CREATE VIEW published.lesson_opening AS
SELECT e.user_id,
       l.id AS lesson_id,
       min(coalesce(l.opens_on, e.started_at + l.opens_after_days * interval '24 hours')) AS opens_at
  FROM core.learning_enrolment e
  JOIN core.courses_section s ON s.course_id = e.course_id
  JOIN core.courses_lesson l ON l.section_id = s.id
 WHERE e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > now())
   AND (l.opens_on IS NOT NULL OR l.opens_after_days IS NOT NULL)
 GROUP BY e.user_id, l.id
HAVING min(coalesce(l.opens_on, e.started_at + l.opens_after_days * interval '24 hours')) > now();

CREATE VIEW published."order" AS
SELECT o.id AS order_id, o.user_id, o.created_at
  FROM core.wallet_order o;

CREATE VIEW published.support_category AS
SELECT c.id AS category_id, c.slug::text AS slug, c.name::text AS name, c.position::int AS position, c.is_active,
       c.priority::int AS priority
  FROM core.support_category c;

CREATE VIEW published.support_agent AS
SELECT a.user_id, s.category_id, s.weight::int AS weight, a.capacity::int AS capacity
  FROM core.support_agent a
  JOIN core.support_skill s ON s.agent_id = a.user_id
  JOIN published.principal p ON p.user_id = a.user_id
 WHERE p.is_active AND 'support.answer' = ANY (p.permissions);

CREATE VIEW published.canned_answer AS
SELECT a.id AS canned_answer_id, a.category_id, a.shortcut::text AS shortcut, a.title::text AS title, a.text
  FROM core.support_cannedanswer a;

GRANT SELECT ON
    published.principal, published.ended_session, published.lesson, published.package, published.caption,
    published.attachment, published.instructor,
    published.lesson_access, published.lesson_opening, published."order", published.support_category, published.support_agent,
    published.canned_answer
    TO lectern_stream, lectern_chat;
