"""What PostgreSQL itself holds about courses that people have, whoever is connected.

- A lesson that was there when somebody enrolled is not deleted as long as they have the course.
- Sections stay in their course and lessons too, so that nothing is taken from a course by moving it away.
(That a course is not deleted once somebody enrolled is held by foreign keys: learning.Enrolment, wallet.OrderLine.)
"""

from django.db import migrations

GUARDS = """
CREATE FUNCTION courses_lesson_stays_with_who_has_it() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM courses_section s JOIN learning_enrolment e ON e.course_id = s.course_id
                WHERE s.id = OLD.section_id AND e.ended_at IS NULL AND e.started_at >= OLD.created_at) THEN
        RAISE EXCEPTION 'people have lesson %', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER courses_lesson_stays_with_who_has_it BEFORE DELETE ON courses_lesson
    FOR EACH ROW EXECUTE FUNCTION courses_lesson_stays_with_who_has_it();

CREATE FUNCTION courses_lesson_stays_in_its_course() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.section_id <> NEW.section_id
       AND (SELECT course_id FROM courses_section WHERE id = OLD.section_id)
           IS DISTINCT FROM (SELECT course_id FROM courses_section WHERE id = NEW.section_id) THEN
        RAISE EXCEPTION 'lesson % stays in its course', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER courses_lesson_stays_in_its_course BEFORE UPDATE ON courses_lesson
    FOR EACH ROW EXECUTE FUNCTION courses_lesson_stays_in_its_course();

CREATE FUNCTION courses_section_stays_in_its_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.course_id <> NEW.course_id THEN
        RAISE EXCEPTION 'section % stays in its course', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER courses_section_stays_in_its_course BEFORE UPDATE ON courses_section
    FOR EACH ROW EXECUTE FUNCTION courses_section_stays_in_its_course();
"""

UNGUARD = """
DROP FUNCTION courses_section_stays_in_its_course() CASCADE;
DROP FUNCTION courses_lesson_stays_in_its_course() CASCADE;
DROP FUNCTION courses_lesson_stays_with_who_has_it() CASCADE;
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(GUARDS)


def unguard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(UNGUARD)


class Migration(migrations.Migration):
    dependencies = [("courses", "0004_tags_and_lessons_that_open_later"), ("learning", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]
