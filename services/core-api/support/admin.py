"""Who answers what, in the admin site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.model_admin import LecternInline, LecternModelAdmin
from support.models import Agent, CannedAnswer, Category, Skill


@admin.register(Category)
class CategoryAdmin(LecternModelAdmin):
    list_display = ["name", "slug", "position", "priority", "is_active"]
    list_editable = ["position", "priority", "is_active"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


class SkillInline(LecternInline):
    model = Skill

    def get_queryset(self, request: HttpRequest) -> QuerySet[Skill]:
        return super().get_queryset(request).select_related("category", "agent__user")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The categories are few, and asked for once for the page instead of by each row."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "category":
            if not hasattr(request, "categories"):
                request.categories = list(field.choices)  # type: ignore[attr-defined]  # requests take attributes
            field.choices = request.categories  # type: ignore[attr-defined]  # set two lines above
        return field


@admin.register(Agent)
class AgentAdmin(LecternModelAdmin):
    """An agent needs the permission `support.answer` too: the group support_agent has it."""

    list_display = ["user", "capacity", "answers"]
    list_select_related = ["user"]
    search_people = ("user",)
    raw_id_fields = ["user"]
    inlines = [SkillInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        agents: QuerySet[Agent] = super().get_queryset(request)
        return agents.select_related("user").prefetch_related("skills__category")

    def answers(self, agent: Agent) -> str:
        return ", ".join(str(skill.category) for skill in agent.skills.all()) or "nothing yet"


@admin.register(CannedAnswer)
class CannedAnswerAdmin(LecternModelAdmin):
    list_display = ["shortcut", "title", "category"]
    list_filter = ["category"]
    list_select_related = ["category"]
    search_fields = ["shortcut", "title", "text"]
    prepopulated_fields = {"shortcut": ["title"]}
