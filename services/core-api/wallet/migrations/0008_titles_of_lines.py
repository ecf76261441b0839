from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def name_as_now(apps, schema_editor):
    """What a course was called when it was bought nobody wrote down: what it is called now is the nearest to it."""
    title = apps.get_model("courses", "Course").objects.filter(pk=OuterRef("course")).values("title")
    apps.get_model("wallet", "OrderLine").objects.update(title=Subquery(title))


class Migration(migrations.Migration):
    dependencies = [("courses", "0002_bundles"), ("wallet", "0007_money_that_goes_back")]
    operations = [
        migrations.AddField(
            model_name="orderline",
            name="title",
            field=models.CharField(default="", help_text="The course's, when it was bought.", max_length=200),
            preserve_default=False,
        ),
        migrations.RunPython(name_as_now, migrations.RunPython.noop),
    ]
