"""The roles that Lectern starts with."""

from django.db import migrations

from accounts.roles import ROLES, give


def seed(apps, schema_editor):
    for role, names in ROLES.items():
        give(apps, role, names)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
