"""What people may ask for help with, and which agents answer it. Tickets themselves are chat-gateway's."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from config.ids import uuid7


class Category(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField("offered", default=True)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"
        permissions = [("answer", "Answer tickets"), ("lead", "Lead the support desk")]

    def __str__(self) -> str:
        return self.name


class Agent(models.Model):
    """How much one person answers at once, and in which categories."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="agent"
    )
    capacity = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(100)], help_text="Open tickets at once."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(capacity__gte=1, capacity__lte=100), name="agent_capacity_sane")
        ]

    def __str__(self) -> str:
        return str(self.user)


class Skill(models.Model):
    """A category that an agent answers, with a weight: twice the weight, twice the share of its tickets."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="skills")
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="skills")
    weight = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "category"], name="skill_once"),
            models.CheckConstraint(condition=Q(weight__gte=1, weight__lte=100), name="skill_weight_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.agent}: {self.category}"
