"""A pack whose currency was typed "eur" took money and gave nothing. One whose currency is none ("€") could not be paid at all: it goes off sale."""

from django.db import migrations, models
from django.db.models.functions import Upper


def write_in_capitals(apps, schema_editor):
    pack = apps.get_model("payments", "CreditPack")
    pack.objects.update(currency=Upper("currency"))
    none = "XXX"  # ISO 4217's code for no currency
    pack.objects.exclude(currency__regex="^[A-Z]{3}$").update(currency=none, is_active=False)


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_postings_of_reversals")]
    operations = [
        migrations.RunPython(write_in_capitals, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="creditpack",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                name="credit_pack_currency_known",
                violation_error_message="Write the currency as the three capital letters of ISO 4217, such as EUR.",
            ),
        ),
    ]
