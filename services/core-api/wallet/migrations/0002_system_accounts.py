"""The accounts that every installation has. Their ids follow from their codes (wallet/accounts.py)."""

from uuid import UUID, uuid5

from django.db import migrations

NAMESPACE = UUID("6f9619ff-5b6a-5f0e-9c39-2f7d0c1c6a01")
ACCOUNTS = {
    "revenue": "revenue",
    "adjustment": "adjustment",
    "promotion": "promotion",
    "expired": "expired",
    "clearing:sandbox": "clearing",
    "clearing:stripe": "clearing",
}


def seed(apps, schema_editor):
    account = apps.get_model("wallet", "Account")
    for code, kind in ACCOUNTS.items():
        account.objects.get_or_create(code=code, defaults={"id": uuid5(NAMESPACE, code), "kind": kind})


class Migration(migrations.Migration):
    dependencies = [("wallet", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
