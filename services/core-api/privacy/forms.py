"""What the admin site asks before a person is erased."""

from __future__ import annotations

from django import forms

from config.confirmation import ReasonForm


class EraseForm(ReasonForm):
    forfeit_credit = forms.BooleanField(
        required=False, label="Give up the credit that is left", help_text="Without it, nobody with credit is erased."
    )
