"""The categories a new installation starts with; its support lead renames, adds and retires them in the admin site."""

from django.db import migrations

CATEGORIES = {
    "billing": "Billing",
    "video-playback": "Video playback",
    "course-content": "Course content",
    "other": "Other",
}


def seed(apps, schema_editor):
    Category = apps.get_model("support", "Category")
    for position, (slug, name) in enumerate(CATEGORIES.items(), 1):
        Category.objects.get_or_create(slug=slug, defaults={"name": name, "position": position})


class Migration(migrations.Migration):
    dependencies = [("support", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
