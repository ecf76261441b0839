"""Finance sees what waits; and the service itself may not forget what was proposed or decided."""

from django.db import migrations

from accounts.roles import give


def seed(apps, schema_editor):
    give(apps, "finance", ["approvals.view_approval"])
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lectern_core')")
        if cursor.fetchone()[0]:
            cursor.execute("REVOKE DELETE, TRUNCATE ON approvals_approval FROM lectern_core")


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
