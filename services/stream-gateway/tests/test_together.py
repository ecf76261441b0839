"""Decisions that many ask for at once share a statement, and never an answer."""

from __future__ import annotations

import asyncio
import uuid

from conftest import Open, code
from world import Lesson, Person, World

SEGMENT = "video-360-00001.m4s"


async def test_whoever_asks_at_once_gets_their_own_answer(open_gateway: Open, world: World, lesson: Lesson) -> None:
    async with open_gateway(listening=False) as client:  # so that nothing is kept
        people = [world.person(f"alice{number}") for number in range(6)]
        addresses = []
        for person in people:
            world.enrol(person, lesson)
            started = await client.start(person, lesson)
            addresses.append(started["manifest_url"].replace("master.m3u8", SEGMENT))
        for person in people[::2]:
            world.refund(person)
        client.cookies.clear()

        async def asks(person: Person, address: str) -> object:
            answer = await client.get(address, headers=person.bearer)
            return 200 if answer.status_code == 200 else code(answer)

        unknown = f"/stream/v1/p/{uuid.uuid4()}/{SEGMENT}"
        own = [asks(person, address) for person, address in zip(people, addresses, strict=True)]
        foreign = [asks(person, addresses[number - 1]) for number, person in enumerate(people)]
        nobodys = [asks(person, unknown) for person in people]
        answers = await asyncio.gather(*own, *foreign, *nobodys)
        assert answers[:6] == [(403, "access_ended"), 200] * 3
        assert answers[6:] == [(404, "not_found")] * 12
