"""How much may be uploaded, and for how long it is kept: the operator's choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """`quota`: bytes of one person's uploads that no lesson took yet. `expiry`: of an unfinished one, after its last
    chunk; `keep`: of a finished one."""

    quota: int
    expiry: timedelta
    keep: timedelta
