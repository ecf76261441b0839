from django.db import migrations, models


def reordered(table: str) -> list[migrations.operations.base.Operation]:
    name = f"{table}_client_id_once"
    return [
        migrations.RemoveIndex(model_name=table, name=f"{table}_of_sender"),
        migrations.RemoveConstraint(model_name=table, name=name),
        migrations.AddConstraint(
            model_name=table,
            constraint=models.UniqueConstraint(fields=("sender_id", "client_id", "ticket"), name=name),
        ),
    ]


class Migration(migrations.Migration):
    """One index fewer to write for each message, and none that could be taken for another (models/conversation.py)."""

    dependencies = [("tickets", "0007_mails_and_idle")]

    operations = [*reordered("message"), *reordered("note")]
