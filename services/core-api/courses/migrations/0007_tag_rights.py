"""Course managers make tags."""

from django.db import migrations

from accounts.roles import give

TAGS = ["courses.add_tag", "courses.change_tag", "courses.delete_tag", "courses.view_tag"]


def give_rights(apps, schema_editor):
    give(apps, "course_manager", TAGS)


class Migration(migrations.Migration):
    dependencies = [("courses", "0006_search"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
