"""An enrolment whose time is over holds no lesson back, also before somebody ends it: nobody has the course by it."""

from django.db import migrations

STAYS = """
CREATE OR REPLACE FUNCTION courses_lesson_stays_with_who_has_it() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM courses_section s JOIN learning_enrolment e ON e.course_id = s.course_id
                WHERE s.id = OLD.section_id AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > now())
                  AND e.started_at >= OLD.created_at) THEN
        RAISE EXCEPTION 'people have lesson %', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(STAYS)


class Migration(migrations.Migration):
    dependencies = [("courses", "0009_search_follows_usernames")]
    operations = [migrations.RunPython(guard, migrations.RunPython.noop)]
