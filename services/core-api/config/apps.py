from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class SystemConfig(AppConfig):
    """What is no domain's: commands, templates and static files of the whole service."""

    name = "config"
    verbose_name = "System"

    def ready(self) -> None:
        from config import strict_json  # imports DRF, which needs the settings

        strict_json.install()


class LecternAdminConfig(AdminConfig):
    default_site = "config.admin_site.LecternAdminSite"
