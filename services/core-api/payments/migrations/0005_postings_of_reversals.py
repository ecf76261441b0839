from django.db import migrations, models
from django.db.models import Count


def keep_what_is_known(apps, schema_editor):
    """What a reversal took at first; and what paid its debt since, where its top-up has no other one that it could be of."""
    reversal, posting = apps.get_model("payments", "Reversal"), apps.get_model("wallet", "Posting")
    for row in reversal.objects.filter(posting__isnull=False):
        row.postings.add(row.posting_id)
    for row in reversal.objects.annotate(all=Count("topup__reversals")).filter(all=1):
        row.postings.add(*posting.objects.filter(topup=row.topup_id, kind="debt_paid"))


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_rights"), ("wallet", "0008_titles_of_lines")]
    operations = [
        migrations.AddField(
            model_name="reversal",
            name="postings",
            field=models.ManyToManyField(
                blank=True,
                help_text="What took its credits out of the wallet, then or since.",
                related_name="+",
                to="wallet.posting",
            ),
        ),
        migrations.RunPython(keep_what_is_known, migrations.RunPython.noop),
        migrations.RemoveField(model_name="reversal", name="posting"),
    ]
