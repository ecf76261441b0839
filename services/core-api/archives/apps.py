from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    """Whole courses at once: copied, exported, imported. It has no tables of its own."""

    name = "archives"
