"""PostgreSQL holds that the log is append-only, whoever is connected: by triggers, for every role; and the runtime role may
not even try to change or truncate it. What is older than a year may be deleted."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION audit_event_is_forever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.at < now() - interval '365 days' THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_event_unchanged BEFORE UPDATE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_forever();
CREATE TRIGGER audit_event_kept_a_year BEFORE DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_is_forever();
"""

UNGUARD = """
DROP TRIGGER audit_event_unchanged ON audit_event;
DROP TRIGGER audit_event_kept_a_year ON audit_event;
DROP FUNCTION audit_event_is_forever();
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(GUARDS)
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lectern_core')")
        if cursor.fetchone()[0]:
            cursor.execute("REVOKE UPDATE, TRUNCATE ON audit_event FROM lectern_core")


def unguard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(UNGUARD)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]
