"""Questions to the database that are asked while another one is under way share the next: one statement, one commit.

Who is alone is asked for at once, so latency does not grow where little happens. Where a crowd asks, those who come next may
be given a moment to gather: a statement for twenty costs little more than one for two. The same text stands in both gateways
(ADR 5).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """`answer` gets up to `most` questions and gives as many answers, in that order.

    What it raises, all get who wait by then: a database that hangs is not asked once more before they hear of it. `apart`:
    seconds from the beginning of an answer to several to that of the next, unless it was to `plenty` or more: then enough
    come while it is under way.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        most: int,
        apart: float = 0.0,
        plenty: int = sys.maxsize,
    ) -> None:
        self._answer = answer
        self._most = most
        self._apart = apart
        self._plenty = plenty
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._answering: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """Whoever is cancelled meanwhile leaves the question behind: it is answered, and the answer is dropped."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_all())
        return await future

    async def _answer_all(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            began = monotonic()
            try:
                answers = await self._answer([question for question, _ in asked])
                answered = list(zip(asked, answers, strict=True))
            except Exception as error:
                asked, self._waiting = asked + self._waiting, []
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in answered:
                    if not future.done():
                        future.set_result(answer)
            if 1 < len(asked) < self._plenty and (early := began + self._apart - monotonic()) > 0:
                await asyncio.sleep(early)
        self._answering = None
