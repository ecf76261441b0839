-- core-api's published views (deploy/contracts.md) over plain tables, so that this suite needs no core-api. Run as its owner.
CREATE TABLE core.principal (user_id uuid PRIMARY KEY, username text, name text, is_active bool NOT NULL DEFAULT true,
    generation int NOT NULL DEFAULT 0, roles text[] NOT NULL DEFAULT '{}', permissions text[] NOT NULL DEFAULT '{}', erased_at timestamptz);
CREATE TABLE core.ended_session (session_id uuid, user_id uuid, ended_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE core.lesson (lesson_id uuid PRIMARY KEY, course_id uuid, course_slug text, course_title text, title text, kind text,
    is_preview bool, is_published bool, video_status text, package_id uuid, duration_s double precision);
CREATE TABLE core.package (package_id uuid PRIMARY KEY, lesson_id uuid, path text, duration_s double precision,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE core.caption (lesson_id uuid, language text, label text, path text);
CREATE TABLE core.lesson_access (user_id uuid, lesson_id uuid, package_id uuid, valid_until timestamptz);
CREATE TABLE core.lesson_opening (user_id uuid, lesson_id uuid, opens_at timestamptz);
CREATE TABLE core.attachment (attachment_id uuid, lesson_id uuid, name text, content_type text, size_bytes bigint, path text);
CREATE TABLE core.instructor (course_id uuid, user_id uuid);

CREATE VIEW published.principal AS SELECT * FROM core.principal;
CREATE VIEW published.ended_session AS SELECT * FROM core.ended_session WHERE ended_at > now() - interval '1 hour';
CREATE VIEW published.lesson AS SELECT * FROM core.lesson;
CREATE VIEW published.package AS SELECT * FROM core.package;
CREATE VIEW published.caption AS SELECT * FROM core.caption;
CREATE VIEW published.attachment AS SELECT * FROM core.attachment;
CREATE VIEW published.instructor AS SELECT * FROM core.instructor;
CREATE VIEW published.lesson_access AS SELECT * FROM core.lesson_access;
CREATE VIEW published.lesson_opening AS SELECT * FROM core.lesson_opening;
GRANT SELECT ON ALL TABLES IN SCHEMA published TO lectern_stream;
