from django.db import migrations

from accounts.roles import give


def give_rights(apps, schema_editor):
    """For installations that have the role already; new ones get it all with accounts' roles."""
    give(apps, "finance", ["payments.view_reversal"])


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_money_that_goes_back"), ("accounts", "0002_roles")]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
