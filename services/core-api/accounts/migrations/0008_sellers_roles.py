"""Who has run Lectern before gets what the roles gained: finance its coupons, course managers their bundles."""

from django.db import migrations

from accounts.roles import give


def seed(apps, schema_editor):
    for role, model in (("finance", "wallet.coupon"), ("course_manager", "courses.bundle")):
        app, name = model.split(".")
        give(apps, role, [f"{app}.{verb}_{name}" for verb in ("add", "change", "delete", "view")])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_users_by_date_joined")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
