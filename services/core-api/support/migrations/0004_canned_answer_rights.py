"""The support lead keeps the canned answers."""

from django.db import migrations

from accounts.roles import give


def rights(apps, schema_editor):
    give(apps, "support_lead", [f"support.{verb}_cannedanswer" for verb in ("add", "change", "delete", "view")])


class Migration(migrations.Migration):
    dependencies = [("support", "0003_canned_answers"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(rights, migrations.RunPython.noop)]
