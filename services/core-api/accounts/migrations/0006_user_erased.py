from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_second_factors'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('erased_at__isnull', False)), fields=['erased_at'], name='user_erased'),
        ),
    ]
