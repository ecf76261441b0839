"""What agents may see beside a ticket. The roles that answer tickets get it; who runs Lectern may take it away."""

from django.db import migrations

from accounts.roles import give


def give_rights(apps, schema_editor):
    for role in ("support_agent", "support_lead"):
        give(apps, role, ["support.see_purchases"])


class Migration(migrations.Migration):
    dependencies = [("support", "0005_priorities"), ("accounts", "0002_roles")]
    operations = [
        migrations.AlterModelOptions(
            name="category",
            options={
                "ordering": ["position", "name"],
                "permissions": [
                    ("answer", "Answer tickets"),
                    ("lead", "Lead the support desk"),
                    ("see_purchases", "See the orders and the credit of learners whose tickets one answers"),
                ],
                "verbose_name_plural": "categories",
            },
        ),
        migrations.RunPython(give_rights, migrations.RunPython.noop),
    ]
