"""Finding people by their names, for staff."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from accounts.models import User

LONGEST = 500  # characters of a word: nobody has a longer one, and PostgreSQL refuses to look for more than 2,046 bytes

# By the index user_words (migration 0011).
_MATCHING = "SELECT id FROM accounts_user WHERE accounts_words_of(username, email, name) @@ accounts_words_asked(%s)"


def ids_named(asked: str) -> Any:
    """For `user__in=`: the people in whose username, e-mail address or name each of the words begins one.

    In any case of letters, and without accents. On SQLite: where each stands anywhere.
    """
    if any(len(word) > LONGEST for word in unicodedata.normalize("NFKD", asked).split()):
        return User.objects.none().values("pk")
    if connection.vendor == "postgresql":
        return RawSQL(_MATCHING, [asked])  # noqa: S611  constant text, parameters apart
    found = Q()
    for word in asked.split():
        found &= Q(username__icontains=word) | Q(email__icontains=word) | Q(name__icontains=word)
    return User.objects.filter(found).values("pk")
