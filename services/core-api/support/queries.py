"""Who answers what."""

from __future__ import annotations

from accounts.models import User
from privacy.sections import Section, rows
from support.models import Agent, Skill


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    agent = rows(Agent.objects.filter(user=user), "capacity")
    skills = rows(Skill.objects.filter(agent=user.pk).order_by("pk"), "weight", category="category__slug")
    return [
        Section("support_agent", "How many tickets you answer at once.", agent, ("support.Agent",)),
        Section("support_skills", "The categories that you answer.", skills, ("support.Skill",)),
    ]
