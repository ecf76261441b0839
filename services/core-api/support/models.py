"""What people may ask for help with, and which agents answer it. Tickets themselves are chat-gateway's."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from config.ids import uuid7

MESSAGE_MAX_LENGTH = 4000  # characters: what chat-gateway accepts as one message


class Priority(models.IntegerChoices):
    """What a category's tickets begin with. chat-gateway says what a step is worth (tickets/rule.py there)."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


class Category(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField("offered", default=True)
    priority = models.PositiveSmallIntegerField(
        choices=Priority.choices,
        default=Priority.NORMAL,
        help_text="Of its new tickets. A step goes before what was asked up to half an hour earlier, and no further.",
    )

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="category_priority_known")
        ]
        verbose_name_plural = "categories"
        permissions = [
            ("answer", "Answer tickets"),
            ("lead", "Lead the support desk"),
            ("see_purchases", "See the orders and the credit of learners whose tickets one answers"),
        ]

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


class CannedAnswer(models.Model):
    """A text that agents put into their messages by typing `/` and the shortcut."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shortcut = models.SlugField(unique=True, max_length=40, help_text="Typed after a slash: /refund-policy")
    title = models.CharField(max_length=120)
    text = models.TextField(max_length=MESSAGE_MAX_LENGTH)
    category = models.ForeignKey(
        Category,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="canned_answers",
        help_text="Offered in its tickets alone; none: in all.",
    )

    class Meta:
        ordering = ["shortcut"]
        constraints = [
            models.CheckConstraint(
                condition=Q(GreaterThanOrEqual(Length("text"), 1), LessThanOrEqual(Length("text"), MESSAGE_MAX_LENGTH)),
                name="canned_answer_length",
            )
        ]

    def __str__(self) -> str:
        return f"/{self.shortcut}"
