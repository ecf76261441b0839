"""Ready answers for the demo's agents."""

from __future__ import annotations

from support.models import CannedAnswer

ANSWERS = {
    "hello": ("Greeting", "Hello! I look into it at once."),
    "browser": (
        "Which browser",
        "Which browser do you use, and which version of it? You find it in its menu, below Help.",
    ),
    "refund": ("Refunds", "I propose a refund. Somebody of our finance team decides it, within one working day."),
}


def load_answers() -> None:
    """Those that are missing: what an operator made of one stays."""
    for shortcut, (title, text) in ANSWERS.items():
        CannedAnswer.objects.get_or_create(shortcut=shortcut, defaults={"title": title, "text": text})
