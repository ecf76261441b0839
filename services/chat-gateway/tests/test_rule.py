"""The rule that says who gets which ticket, and that the database's statements carry out just this rule."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tickets import assignment
from tickets.models import AgentStatus, Priority, Ticket
from tickets.rule import HEAD_START, Agent, Waiting, choose, plan

quick = settings(deadline=None, max_examples=50)
CATEGORY = uuid.UUID(int=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOBODY = uuid.UUID(int=0)


def agent(number, weight=1, capacity=5, assigned_at=None, category=CATEGORY):
    return Agent(uuid.UUID(int=number), f"agent{number}", category, weight, capacity, True, assigned_at)


def ticket(number=1, minutes=0, priority=Priority.NORMAL, learner=NOBODY, previous=None, category=CATEGORY):
    """One that is asked `minutes` after noon."""
    asked = NOON + timedelta(minutes=minutes)
    return Waiting(uuid.UUID(int=1000 + number), number, category, learner, previous, priority, asked)


def test_the_least_loaded_for_their_weight_is_chosen():
    one, two = agent(1), agent(2, weight=2)
    assert choose(ticket(), [one, two], {}) == two
    assert choose(ticket(), [one, two], {two.id: 2}) == one
    assert choose(ticket(), [], {}) is None
    assert choose(ticket(), [agent(1, weight=0), agent(2, capacity=0)], {}) is None


def test_equals_take_turns():
    one, two = agent(1, assigned_at=NOON + timedelta(1)), agent(2, assigned_at=NOON)
    assert choose(ticket(), [one, two], {}) == two
    assert choose(ticket(), [one, two, agent(3)], {}) == agent(3)  # who never had one comes first


def test_the_previous_agent_is_preferred_while_they_have_room():
    one, two = agent(1), agent(2)
    again = ticket(previous=two.id)
    assert choose(again, [one, two], {two.id: 4}) == two
    assert choose(again, [one, two], {two.id: 5}) == one


def test_nobody_answers_their_own_questions_and_others_do_not_wait_behind_them():
    one = agent(1, capacity=1)
    own, other = ticket(1, learner=one.id), ticket(2, minutes=5)
    assert plan([own, other], [one], {}) == [(other, one)]


def test_a_step_of_priority_is_worth_half_an_hour_of_waiting():
    waits = ticket(1, minutes=0, priority=Priority.LOW)
    assert plan([waits, ticket(2, 89, Priority.URGENT)], [agent(1)], {})[1][0] == waits
    assert plan([waits, ticket(2, 91, Priority.URGENT)], [agent(1)], {})[0][0] == waits
    assert plan([waits, ticket(2, 1, Priority.LOW)], [agent(1)], {})[0][0] == waits


CATEGORIES = [uuid.UUID(int=1), uuid.UUID(int=2)]
SOME_AGENTS = st.lists(
    st.builds(agent, st.integers(1, 5), st.integers(0, 4), st.integers(0, 6), category=st.sampled_from(CATEGORIES)),
    max_size=6,
    unique_by=lambda each: (each.id, each.category_id),
).map(lambda agents: [Agent(a.id, a.username, a.category_id, a.weight, a.id.int, True) for a in agents])
SOME_TICKETS = st.lists(
    st.builds(
        ticket,
        st.integers(1, 10**6),
        st.integers(0, 300),
        st.sampled_from(Priority),
        st.integers(0, 5).map(lambda number: uuid.UUID(int=number)),
        st.none() | st.integers(1, 5).map(lambda number: uuid.UUID(int=number)),
        st.sampled_from(CATEGORIES),
    ),
    max_size=40,
    unique_by=lambda each: each.number,
)


@quick
@given(SOME_TICKETS, SOME_AGENTS, st.dictionaries(st.integers(1, 5), st.integers(0, 6), max_size=5))
def test_nobody_gets_above_their_capacity_and_nothing_waits_for_which_there_is_room(tickets, agents, loads):
    load = {uuid.UUID(int=number): count for number, count in loads.items()}
    given_away = plan(tickets, agents, load)
    for waiting, chosen in given_away:
        assert chosen.category_id == waiting.category_id
        assert chosen.id != waiting.learner_id
        load[chosen.id] = load.get(chosen.id, 0) + 1
        assert load[chosen.id] <= chosen.capacity
    left = [each for each in tickets if each not in [waiting for waiting, _ in given_away]]
    for waiting in left:
        assert choose(waiting, [a for a in agents if a.category_id == waiting.category_id], load) is None


@quick
@given(SOME_TICKETS, st.permutations([agent(1, 2, 9), agent(2, 1, 4)]))
def test_the_plan_is_the_same_however_its_parts_are_read(tickets, agents):
    assert plan(reversed(tickets), agents, {}) == plan(tickets, reversed(agents), {})


@quick
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(0, 60))
def test_the_load_follows_the_weights(weights, tickets):
    """Nobody has so much that somebody else, with one more, would still have less for their weight (D'Hondt's rule)."""
    people = [agent(number, weight, 1000) for number, weight in enumerate(weights, 1)]
    given_away = [chosen for _, chosen in plan(map(ticket, range(tickets)), people, {})]
    load = {person: given_away.count(person) for person in people}
    for one in people:
        assert all(load[one] / one.weight <= (load[other] + 1) / other.weight for other in people)
    assert sum(load.values()) == tickets


@quick
@given(SOME_TICKETS)
def test_only_what_comes_within_its_head_start_goes_before_a_ticket(tickets):
    order = [waiting for waiting, _ in plan(tickets, [agent(99, 1, 1000, category=c) for c in CATEGORIES], {})]
    for place, later in enumerate(order):
        for earlier in order[:place]:
            ahead = earlier.queued_at - later.queued_at
            assert ahead <= (earlier.priority - later.priority) * HEAD_START


def test_nothing_starves_under_a_stream_of_urgent_tickets():
    """One agent, who needs a minute each; every minute two more urgent tickets come in."""
    low = ticket(1, 0, Priority.LOW)
    waiting = [low]
    for minute in range(1, 1000):
        waiting += [ticket(10 * minute + number, minute, Priority.URGENT) for number in range(2)]
        ((served, _),) = plan(waiting, [agent(1, capacity=1)], {})
        if served is low:
            break
        waiting.remove(served)
    assert minute == 179  # those of the 89 minutes after it went before it: three steps of priority


# --- the same in SQL

SECONDS_OF_LEASE = st.sampled_from([-200, -90, -30, 30])
DESK = st.lists(  # agents: status, lease, capacity, {category: weight}
    st.tuples(
        st.sampled_from(["online", "online", "away", "offline"]),
        SECONDS_OF_LEASE,
        st.integers(0, 3),
        st.dictionaries(st.integers(0, 2), st.integers(0, 3), max_size=3),
    ),
    min_size=1,
    max_size=4,
)
QUEUE = st.lists(  # tickets: category, priority, minutes ago, learner (an agent or none), previous, assignee
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(0, 200),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 3),
        st.none() | st.none() | st.integers(0, 3),
    ),
    max_size=12,
)


class Case:
    """A generated desk and queue, in the database, and as the rule reads them."""

    def __init__(self, world, desk, queue):
        self.categories = [world.category() for _ in range(3)]
        self.agents, self.present = [], set()
        self.people = [world.user("agent", "support.answer") for _ in desk]
        for person, (status, lease, capacity, skills) in zip(self.people, desk, strict=True):
            AgentStatus.objects.create(
                user_id=person.id, status=status, lease_until=datetime.now(UTC) + timedelta(seconds=lease)
            )
            for category, weight in skills.items():
                where = self.categories[category][0]
                world.connection.execute(
                    "INSERT INTO core.support_agent VALUES (%s, %s, %s, %s)", [person.id, where, weight, capacity]
                )
                online = status == "online" and lease > 0
                self.agents.append(Agent(person.id, person.username, where, weight, capacity, online))
                if lease > -60:
                    self.present.add((person.id, where))
        self.tickets = [self.ask(world, *each) for each in queue]

    def one(self, number):
        return None if number is None else self.people[number % len(self.people)].id

    def ask(self, world, category, priority, minutes, learner, previous, assignee):
        return Ticket.objects.create(
            category_id=self.categories[category][0],
            category_slug=self.categories[category][1],
            priority=priority,
            queued_at=NOON - timedelta(minutes=minutes),
            learner_id=self.one(learner) or uuid.uuid4(),
            learner_username="learner",
            subject="Help",
            previous_assignee_id=self.one(previous),
            state="queued" if assignee is None else "open",
            assignee_id=self.one(assignee),
            assignee_username=None if assignee is None else "agent",
        )

    def expected(self):
        """Each ticket's assignee, by the rule."""
        held = {t.pk: t.assignee_id for t in self.tickets if (t.assignee_id, t.category_id) in self.present}
        loads = list(held.values())
        waiting = [
            Waiting(
                t.pk,
                t.number,
                t.category_id,
                t.learner_id,
                t.assignee_id or t.previous_assignee_id,
                t.priority,
                t.queued_at,
            )
            for t in self.tickets
            if t.pk not in held
        ]
        given_away = plan(waiting, self.agents, {person: loads.count(person) for person in loads})
        return {t.pk: None for t in self.tickets} | held | {w.id: chosen.id for w, chosen in given_away}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(desk=DESK, queue=QUEUE, batch=st.sampled_from([1, 2, 200]))
def test_the_database_does_what_the_rule_says(world, desk, queue, batch):
    case = Case(world, desk, queue)
    usual, assignment.BATCH = assignment.BATCH, batch
    try:
        assignment.assign_waiting()
    finally:
        assignment.BATCH = usual
    held = dict(Ticket.objects.filter(pk__in=[t.pk for t in case.tickets]).values_list("pk", "assignee_id"))
    assert held == case.expected()


def test_the_place_in_the_queue_is_the_same_in_sql():
    with connection.cursor() as cursor:
        for waiting in [ticket(priority=priority, minutes=7) for priority in Priority]:
            cursor.execute("SELECT chat.place(%s, %s::smallint)", [waiting.queued_at, waiting.priority])
            assert cursor.fetchone() == (waiting.place[0],)
