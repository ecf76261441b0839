"""An instructor without a display name is found by the username: the index of words follows that, too, when staff change it.

And it can forget a word: who is erased was perhaps an instructor, whose names stood in it.
"""

from django.db import migrations

CHANGED = """
CREATE OR REPLACE FUNCTION courses_search_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE ids uuid[];
BEGIN
    IF TG_TABLE_NAME = 'courses_course' THEN
        IF TG_OP = 'INSERT' AND NEW.status <> 'published' OR TG_OP = 'UPDATE'
           AND (NEW.title, NEW.summary, NEW.description, NEW.status, NEW.category_id)
               IS NOT DISTINCT FROM (OLD.title, OLD.summary, OLD.description, OLD.status, OLD.category_id) THEN
            RETURN NULL;
        END IF;
        ids := ARRAY[NEW.id];
    ELSIF TG_TABLE_NAME IN ('courses_course_tags', 'courses_course_instructors') THEN
        ids := ARRAY[CASE WHEN TG_OP = 'DELETE' THEN OLD.course_id ELSE NEW.course_id END];
    ELSIF TG_TABLE_NAME = 'accounts_user' THEN
        IF (NEW.name, NEW.username) IS NOT DISTINCT FROM (OLD.name, OLD.username) THEN
            RETURN NULL;
        END IF;
        ids := ARRAY(SELECT course_id FROM courses_course_instructors WHERE user_id = NEW.id);
    ELSIF NEW.name = OLD.name THEN
        RETURN NULL;
    ELSIF TG_TABLE_NAME = 'courses_tag' THEN
        ids := ARRAY(SELECT course_id FROM courses_course_tags WHERE tag_id = NEW.id);
    ELSE
        ids := ARRAY(SELECT id FROM courses_course WHERE category_id = NEW.id);
    END IF;
    IF cardinality(ids) > 0 THEN
        PERFORM courses_search_refresh(ids);
    END IF;
    RETURN NULL;
END $$;

-- The words of these names that stand in no course.
CREATE FUNCTION courses_search_forget(names text) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM courses_searchtrigram t USING unnest(courses_search_words(names)) AS gone (word)
     WHERE t.trigram = ANY (courses_search_trigrams(gone.word)) AND t.word = gone.word
       AND NOT EXISTS (SELECT FROM courses_searchentry e WHERE e.words @@ format('''%s''', gone.word)::tsquery) $$;

SELECT courses_search_refresh(ARRAY(
    SELECT i.course_id FROM courses_course_instructors i JOIN accounts_user u ON u.id = i.user_id WHERE u.name = ''));
"""


def follow(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(CHANGED)


class Migration(migrations.Migration):
    dependencies = [("courses", "0008_terms_and_ratings"), ("accounts", "0011_finding_people")]
    operations = [migrations.RunPython(follow, migrations.RunPython.noop)]
