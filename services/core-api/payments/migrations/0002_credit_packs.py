"""The packs that a new installation sells; admins change them in the admin site."""

from django.db import migrations

PACKS = [  # code, name, credits, cents
    ("small", "100 credits", 100, 1000),
    ("medium", "300 credits", 300, 2700),
    ("large", "1000 credits", 1000, 8000),
]


def seed(apps, schema_editor):
    pack = apps.get_model("payments", "CreditPack")
    for position, (code, name, credits, amount) in enumerate(PACKS):
        price = {"credits": credits, "amount": amount, "currency": "EUR"}
        pack.objects.get_or_create(code=code, defaults={"name": name, "position": position, **price})


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
