from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """The second pair of eyes: what waits for another person's decision before credit or access moves."""

    name = "approvals"
    verbose_name = "Approvals"
