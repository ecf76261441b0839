from django.apps import AppConfig


class PublishedConfig(AppConfig):
    name = "published"
    verbose_name = "Published facts"
