"""The roles Lectern starts with: groups with permissions, editable in the admin site afterwards."""

from typing import Any

LEARNER = "learner"  # everybody is one, without being a member: what this group may, every person may
ADMIN = "admin"  # holds every permission; `migrate` gives it new ones as they appear


def _editing(app: str, *models: str) -> list[str]:
    return [f"{app}.{verb}_{model}" for model in models for verb in ("add", "change", "delete", "view")]


def _viewing(app: str, *models: str) -> list[str]:
    return [f"{app}.view_{model}" for model in models]


ROLES: dict[str, list[str]] = {
    LEARNER: [],
    "instructor": ["courses.manage"],
    "course_manager": [
        "courses.manage",
        "courses.manage_all",
        "media.watch_any",
        *_editing("courses", "category", "tag", "course", "section", "lesson", "bundle"),
        *_viewing("media", "videoasset", "package", "caption", "attachment"),
        *_viewing("learning", "courseprogress", "lessonprogress", "certificate", "review"),
        "published.view_upload",
        *("learning.change_certificate", "learning.change_review"),  # revoke the one, hide the other
    ],
    "support_agent": ["support.answer", "support.see_purchases"],
    "support_lead": [
        *("support.answer", "support.see_purchases", "support.lead"),
        *_editing("support", "category", "agent", "skill", "cannedanswer"),
    ],
    "finance": [
        "payments.refund",
        "wallet.adjust",
        "approvals.view_approval",
        "books.reports",
        "books.view_reconciliation",
        *_viewing("wallet", "wallet", "order", "orderline", "posting"),
        *_editing("wallet", "coupon"),
        *_viewing("payments", "creditpack", "topup", "reversal", "providerevent"),
    ],
    ADMIN: [],
}

# Where Django keeps the permissions that are not about one model's rows: the model that declares them.
DECLARED_BY = {
    "courses.manage": "course",
    "courses.manage_all": "course",
    "media.watch_any": "videoasset",
    "support.answer": "category",
    "support.lead": "category",
    "support.see_purchases": "category",
    "payments.refund": "creditpack",
    "wallet.adjust": "wallet",
    "books.reports": "reconciliation",
}


def give(apps: Any, role: str, names: list[str]) -> None:
    """For migrations: a role, made if there is none, gets permissions. Works before `post_migrate` has made their rows."""
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
    group.permissions.add(*[_permission(apps, name) for name in names])


def _permission(apps: Any, name: str) -> Any:
    app, codename = name.split(".")
    model = DECLARED_BY.get(name) or codename.partition("_")[2]
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": codename.replace("_", " ").capitalize()}
    )
    return found
