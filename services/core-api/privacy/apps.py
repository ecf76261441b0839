from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """What a person may ask of us: everything that is held about them, and that it be erased."""

    name = "privacy"
    verbose_name = "People's rights"
