from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_user_erased")]
    operations = [
        migrations.AddIndex(model_name="user", index=models.Index(fields=["date_joined"], name="user_joined")),
    ]
