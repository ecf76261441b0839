"""The catalogue's index of words, on PostgreSQL: deploy/decisions/0009-searching-the-catalogue.md says why so.

`courses_searchentry` has the words of each published course, weighted: A title, B tags, category and instructors, C summary,
D description. `courses_searchtrigram` has every word that ever stood there by its trigrams, for words that are misspelt.
Triggers keep both, in the transaction that changes what they are made of, whoever does.
"""

from django.conf import settings
from django.db import migrations

SEARCH = r"""
CREATE TABLE courses_searchentry (
    course_id uuid PRIMARY KEY REFERENCES courses_course ON DELETE CASCADE,
    words tsvector NOT NULL
);
CREATE INDEX courses_searchentry_words ON courses_searchentry USING gin (words) WITH (fastupdate = off);
CREATE TABLE courses_searchtrigram (
    trigram text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    size smallint NOT NULL, -- how many different trigrams the word has
    PRIMARY KEY (trigram, word) INCLUDE (size)
);

-- Lower case, without accents and punctuation: 'Käse & Brot' is {kase,brot}.
CREATE FUNCTION courses_search_words(given text) RETURNS text[] IMMUTABLE LANGUAGE sql AS $$
    SELECT coalesce(array_agg(left(word, 40) ORDER BY place), '{}')
      FROM regexp_split_to_table(
               replace(lower(regexp_replace(normalize(given, NFKD), '[\u0300-\u036f]', '', 'g') COLLATE "pg_c_utf8"), 'ß', 'ss'),
               '[[:space:][:punct:][:cntrl:]]+'
           ) WITH ORDINALITY AS split (word, place)
     WHERE word <> '' $$;

CREATE FUNCTION courses_search_trigrams(word text) RETURNS text[] IMMUTABLE LANGUAGE sql AS $$
    SELECT array_agg(DISTINCT substr('  ' || word || ' ', i, 3)) FROM generate_series(1, length(word) + 1) AS i $$;

CREATE FUNCTION courses_search_vector(title text, labels text, summary text, description text)
RETURNS tsvector IMMUTABLE LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT coalesce(string_agg(format('''%s'':%s%s', word, least(place, 16383), weight), ' ')::tsvector, ''::tsvector)
      FROM (SELECT word, weight, row_number() OVER (ORDER BY weight, within) AS place
              FROM (VALUES ('A', title), ('B', labels), ('C', summary), ('D', description)) AS part (weight, text),
                   unnest(courses_search_words(part.text)) WITH ORDINALITY AS split (word, within)
             ORDER BY place LIMIT 5000) AS placed $$;

-- Makes the entries of these courses anew; drafts and withdrawn courses have none.
CREATE FUNCTION courses_search_refresh(ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Two changes of a course at once come one after the other, and the second sees what the first did.
    PERFORM FROM courses_course WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    DELETE FROM courses_searchentry e
     WHERE e.course_id = ANY (ids)
       AND NOT EXISTS (SELECT FROM courses_course c WHERE c.id = e.course_id AND c.status = 'published');
    INSERT INTO courses_searchentry AS e (course_id, words)
    SELECT c.id, courses_search_vector(c.title, concat_ws(' ',
               (SELECT k.name FROM courses_category k WHERE k.id = c.category_id),
               (SELECT string_agg(t.name, ' ') FROM courses_course_tags ct JOIN courses_tag t ON t.id = ct.tag_id
                 WHERE ct.course_id = c.id),
               (SELECT string_agg(coalesce(nullif(u.name, ''), u.username), ' ')
                  FROM courses_course_instructors ci JOIN accounts_user u ON u.id = ci.user_id
                 WHERE ci.course_id = c.id)), c.summary, c.description)
      FROM courses_course c WHERE c.id = ANY (ids) AND c.status = 'published'
    ON CONFLICT (course_id) DO UPDATE SET words = excluded.words;
    INSERT INTO courses_searchtrigram (trigram, word, size)
    SELECT t.trigram, new.word, cardinality(courses_search_trigrams(new.word))
      FROM (SELECT DISTINCT word FROM courses_searchentry e, unnest(tsvector_to_array(e.words)) AS word
             WHERE e.course_id = ANY (ids) AND length(word) > 2) AS new,
           unnest(courses_search_trigrams(new.word)) AS t (trigram)
     WHERE NOT EXISTS (SELECT FROM courses_searchtrigram known
                        WHERE known.trigram = '  ' || left(new.word, 1) AND known.word = new.word)
     ORDER BY new.word, t.trigram -- in one order, so that two changes wait for each other only one way
    ON CONFLICT DO NOTHING;
END $$;

-- On several tables: names no column in its triggers' conditions, so that later migrations may alter them.
CREATE FUNCTION courses_search_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
    ELSIF NEW.name = OLD.name THEN
        RETURN NULL;
    ELSIF TG_TABLE_NAME = 'courses_tag' THEN
        ids := ARRAY(SELECT course_id FROM courses_course_tags WHERE tag_id = NEW.id);
    ELSIF TG_TABLE_NAME = 'courses_category' THEN
        ids := ARRAY(SELECT id FROM courses_course WHERE category_id = NEW.id);
    ELSE
        ids := ARRAY(SELECT course_id FROM courses_course_instructors WHERE user_id = NEW.id);
    END IF;
    IF cardinality(ids) > 0 THEN
        PERFORM courses_search_refresh(ids);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER courses_search_changed AFTER INSERT OR UPDATE ON courses_course
    FOR EACH ROW EXECUTE FUNCTION courses_search_changed();
CREATE TRIGGER courses_search_changed AFTER INSERT OR DELETE ON courses_course_tags
    FOR EACH ROW EXECUTE FUNCTION courses_search_changed();
CREATE TRIGGER courses_search_changed AFTER INSERT OR DELETE ON courses_course_instructors
    FOR EACH ROW EXECUTE FUNCTION courses_search_changed();
CREATE TRIGGER courses_search_changed AFTER UPDATE ON courses_tag FOR EACH ROW EXECUTE FUNCTION courses_search_changed();
CREATE TRIGGER courses_search_changed AFTER UPDATE ON courses_category FOR EACH ROW EXECUTE FUNCTION courses_search_changed();
CREATE TRIGGER courses_search_changed AFTER UPDATE ON accounts_user FOR EACH ROW EXECUTE FUNCTION courses_search_changed();

-- Known words that may have been meant: with two letters the other way round, or with at least 0.3 of their trigrams in common
-- (the similarity and the threshold of pg_trgm), the most similar first.
CREATE FUNCTION courses_search_alternatives(asked text) RETURNS SETOF text STABLE LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT turned FROM generate_series(1, length(asked) - 1) AS i,
           overlay(asked PLACING substr(asked, i + 1, 1) || substr(asked, i, 1) FROM i) AS turned
     WHERE EXISTS (SELECT FROM courses_searchtrigram t WHERE t.trigram = '  ' || left(turned, 1) AND t.word = turned)
    UNION
    (SELECT t.word FROM courses_searchtrigram t
      WHERE t.trigram = ANY (courses_search_trigrams(asked))
      GROUP BY t.word, t.size
     HAVING count(*) >= 0.3 * (t.size + cardinality(courses_search_trigrams(asked)) - count(*))
      ORDER BY count(*) / (t.size + cardinality(courses_search_trigrams(asked)) - count(*))::real DESC, t.word
      LIMIT 5) $$;

-- Every word asked for has to stand in a course, be the beginning of a word there, or, where neither is the case, look like one.
CREATE FUNCTION courses_search_query(asked text) RETURNS tsquery STABLE LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    word text;
    meant tsquery;
    whole tsquery;
BEGIN
    FOREACH word IN ARRAY courses_search_words(asked) LOOP
        meant := format('''%s'':*', word)::tsquery;
        IF NOT EXISTS (SELECT FROM courses_searchentry e WHERE e.words @@ meant) THEN
            SELECT coalesce(string_agg(format('''%s'':*', alternative), ' | ')::tsquery, meant) INTO meant
              FROM courses_search_alternatives(word) AS alternative;
        END IF;
        whole := coalesce(whole && meant, meant);
    END LOOP;
    RETURN whole;
END $$;

-- The same words as they are, for the ranking: who asks for Java means JavaScript less.
CREATE FUNCTION courses_search_exact(asked text) RETURNS tsquery IMMUTABLE LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT string_agg(format('''%s''', word), ' | ')::tsquery FROM unnest(courses_search_words(asked)) AS word $$;

SELECT courses_search_refresh(ARRAY(SELECT id FROM courses_course));
"""

FORGET = """
DROP FUNCTION courses_search_exact(text);
DROP FUNCTION courses_search_query(text);
DROP FUNCTION courses_search_alternatives(text);
DROP FUNCTION courses_search_changed() CASCADE;
DROP FUNCTION courses_search_refresh(uuid[]);
DROP FUNCTION courses_search_vector(text, text, text, text);
DROP FUNCTION courses_search_trigrams(text);
DROP FUNCTION courses_search_words(text);
DROP TABLE courses_searchtrigram;
DROP TABLE courses_searchentry;
"""


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(SEARCH)


def forget(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORGET)


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0005_what_people_have_stays"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [migrations.RunPython(index, forget)]
