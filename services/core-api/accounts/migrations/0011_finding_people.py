"""An index of the words in people's names, for the admin site's search (accounts/finding.py), with built-in functions alone.

The catalogue's words (courses/0006) are weighted, which costs ten times as much a person: too much for every registration.
"""

from django.db import migrations

PUNCTUATION = "!\"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\u00a0"



def words(text):
    """Of an expression's text, in lower case, without accents and punctuation: {zoe,o,hara} for Zoë O'Hara."""
    return f"""array_remove(string_to_array(translate(
        lower(regexp_replace(normalize({text}, NFKD), '[\\u0300-\\u036f]', '', 'g') COLLATE "pg_c_utf8"), '{PUNCTUATION}', repeat(' ', 40)
    ), ' '), '')"""


INDEX = f"""
CREATE FUNCTION accounts_words_of(username text, email text, name text) RETURNS tsvector IMMUTABLE LANGUAGE sql AS $$
    SELECT array_to_tsvector({words("username || ' ' || email || ' ' || name")}) $$;

-- All of these words, as they are or begun. Immutable: worked out before the query is planned, which then knows how rare they are.
CREATE FUNCTION accounts_words_asked(asked text) RETURNS tsquery IMMUTABLE LANGUAGE sql AS $$
    SELECT string_agg(format('''%s'':*', word), ' & ')::tsquery FROM unnest({words("asked")}) AS word $$;

CREATE INDEX user_words ON accounts_user USING gin (accounts_words_of(username, email, name)) WITH (fastupdate = off);
"""

FORGET = """
DROP INDEX user_words;
DROP FUNCTION accounts_words_asked(text);
DROP FUNCTION accounts_words_of(text, text, text);
"""


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(INDEX)


def forget(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORGET)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_chat_mails")]
    operations = [migrations.RunPython(index, forget)]
