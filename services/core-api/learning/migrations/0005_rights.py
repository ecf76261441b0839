from django.db import migrations

from accounts.roles import give

RIGHTS = [
    "learning.view_courseprogress",
    "learning.view_lessonprogress",
    "learning.view_certificate",
    "learning.change_certificate",
    "learning.view_review",
    "learning.change_review",
]


def give_rights(apps, schema_editor):
    """For installations that have the role already; new ones get it all with accounts' roles."""
    give(apps, "course_manager", RIGHTS)


class Migration(migrations.Migration):
    dependencies = [("learning", "0004_certificates_and_reviews"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
