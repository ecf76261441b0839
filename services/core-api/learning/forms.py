"""What the admin site asks before it grants or extends an enrolment."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.admin.sites import site
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone

from config.confirmation import ReasonForm
from courses.models import Course
from learning.models import Enrolment


class UntilForm(ReasonForm):
    last_day = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day with access, to its end in UTC. Empty: no end.",
    )
    field_order = ["course", "last_day", "reason"]

    def clean_last_day(self) -> date | None:
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and day < timezone.now().date():
            raise forms.ValidationError("That day is over.")
        if day == date.max:  # it has no day after it
            raise forms.ValidationError("Leave it empty where there is no end.")
        return day

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        day = given.get("last_day")
        given["valid_until"] = day and datetime.combine(day + timedelta(days=1), time(), UTC)
        return given


class GrantForm(UntilForm):
    course = forms.ModelChoiceField(
        Course.objects.all(), widget=AutocompleteSelect(Enrolment._meta.get_field("course"), site)
    )
