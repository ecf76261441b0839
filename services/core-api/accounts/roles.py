"""The roles Lectern starts with: groups with permissions, editable in the admin site afterwards."""

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
        *_editing("courses", "category", "course", "section", "lesson"),
        *_viewing("media", "videoasset", "package", "caption"),
    ],
    "support_agent": ["support.answer"],
    "support_lead": ["support.answer", "support.lead", *_editing("support", "category", "agent", "skill")],
    "finance": [
        "payments.refund",
        "wallet.adjust",
        *_viewing("wallet", "wallet", "order", "orderline", "posting"),
        *_viewing("payments", "creditpack", "topup", "providerevent"),
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
    "payments.refund": "creditpack",
    "wallet.adjust": "wallet",
}
