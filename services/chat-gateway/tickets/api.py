"""The REST routes. Each view says what it needs (`permission`), parses, calls one action or query, renders."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, cast

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import actions, proposals, queries, search
from tickets.errors import (
    AgentAbsent,
    AlreadyAssigned,
    ApprovalPending,
    AtCapacity,
    AttachmentNotReady,
    NothingToPropose,
    Problem,
    TicketClosed,
    TicketErased,
)
from tickets.models import Presence, Priority, Ticket, TicketState
from tickets.pagination import Pages, public
from tickets.people import ANSWER, LEAD, Person
from tickets.permissions import AUTHENTICATED
from tickets.serializers import (
    AgentSerializer,
    AssignmentSerializer,
    CategorySerializer,
    ConnectTicketSerializer,
    MessagePageSerializer,
    MessageSerializer,
    MessagesQuerySerializer,
    NewConnectTicketSerializer,
    NewMessageSerializer,
    NewPrioritySerializer,
    NewProposalSerializer,
    NewTicketSerializer,
    PresenceSerializer,
    ProposalSerializer,
    ProposedSerializer,
    ReadSerializer,
    TicketSerializer,
    TicketsQuerySerializer,
    TransferSerializer,
)


class ChatView(APIView):
    permission: ClassVar[str] = AUTHENTICATED
    conflicts: ClassVar[tuple[type[Problem], ...]] = ()  # what a POST (without one: a GET) may be refused with besides
    http_method_names = ["get", "head", "post", "put", "patch"]

    def person(self) -> Person:
        return cast(Person, self.request.user)

    def parsed(self, shape: type[Any]) -> dict[str, Any]:
        """The body (or, for GET, the query) as `shape` reads it; ValidationError is answered 422."""
        serializer = shape(data=self.request.query_params if self.request.method == "GET" else self.request.data)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def page(self, rows: Any, shape: type[Any]) -> Response:
        """The page of `rows` (a queryset or a list) that the query asks for."""
        pages = Pages()
        return pages.get_paginated_response(shape(pages.paginate_queryset(rows, self.request, self), many=True).data)


class Categories(ChatView):
    @extend_schema(operation_id="list_categories", responses=CategorySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The categories a ticket may be opened in."""
        return Response([CategorySerializer(category).data for category in queries.categories()])


class Tickets(ChatView):
    pagination_class = Pages

    @extend_schema(
        operation_id="list_tickets",
        parameters=[TicketsQuerySerializer],
        responses=TicketSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """One's own tickets, and for agents those of their categories; newest first."""
        wanted = self.parsed(TicketsQuerySerializer)
        tickets = search.filtered(self.person(), wanted).order_by("-number")
        if state := wanted.get("state"):
            tickets = tickets.filter(state=state)
        if wanted.get("assigned") == "me":
            tickets = tickets.filter(assignee_id=self.person().id)
        elif wanted.get("assigned") == "none":
            tickets = tickets.filter(assignee_id=None).exclude(state=TicketState.CLOSED)
        return self.page(tickets, TicketSerializer)

    @extend_schema(operation_id="open_ticket", request=NewTicketSerializer, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Opens a ticket with its first message; an agent is looked for at once."""
        ticket = actions.create_ticket(self.person(), actions.NewTicket(**self.parsed(NewTicketSerializer)))
        return Response(TicketSerializer(ticket).data, status.HTTP_201_CREATED)


class OneTicket(ChatView):
    @extend_schema(operation_id="get_ticket", responses=TicketSerializer)
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """One ticket. 404 for a foreign and an unknown one alike."""
        return Response(TicketSerializer(queries.ticket_for(self.person(), ticket)).data)


class Messages(ChatView):
    conflicts = (TicketClosed, AttachmentNotReady)

    @extend_schema(operation_id="list_messages", parameters=[MessagesQuerySerializer], responses=MessagePageSerializer)
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """The conversation, oldest first."""
        wanted = self.parsed(MessagesQuerySerializer)
        found = queries.ticket_for(self.person(), ticket)
        messages = queries.messages_after(ticket, wanted["after"], wanted["limit"])
        following = None
        if messages and messages[-1].seq < found.head_seq:
            following = public(f"{request.path}?after={messages[-1].seq}&limit={wanted['limit']}")
        page = {"count": found.head_seq, "next": following, "previous": None, "results": messages}
        return Response(MessagePageSerializer(page).data)

    @extend_schema(operation_id="send_message", request=NewMessageSerializer, responses={201: MessageSerializer})
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Adds a message. The same `client_id` again answers with the first one."""
        new = self.parsed(NewMessageSerializer)
        message = actions.append_message(
            self.person(), ticket, new["message"], new.get("client_id"), new.get("attachment")
        )
        return Response(MessageSerializer(message).data, status.HTTP_201_CREATED)


class Read(ChatView):
    @extend_schema(operation_id="mark_read", request=ReadSerializer, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Says up to which message one has read."""
        return answer(actions.mark_read(self.person(), ticket, self.parsed(ReadSerializer)["seq"]))


class Close(ChatView):
    @extend_schema(operation_id="close_ticket", request=None, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Ends the conversation; it can be reopened."""
        return answer(actions.close_ticket(self.person(), ticket))


class Reopen(ChatView):
    conflicts = (TicketErased,)

    @extend_schema(operation_id="reopen_ticket", request=None, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Goes on with a closed ticket, with the same agent if they have room. 409 `ticket_erased`: who asked is gone."""
        return answer(actions.reopen_ticket(self.person(), ticket))


class Claim(ChatView):
    conflicts = (AlreadyAssigned, AtCapacity, TicketClosed)
    permission = ANSWER

    @extend_schema(operation_id="claim_ticket", request=None, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Takes a ticket that waits. 409 `already_assigned`, `at_capacity`, `ticket_closed`."""
        return answer(actions.claim_ticket(self.person(), ticket))


class Transfer(ChatView):
    conflicts = (AgentAbsent, AtCapacity, TicketClosed)
    permission = ANSWER

    @extend_schema(operation_id="transfer_ticket", request=TransferSerializer, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Hands it to another agent, or to another category's queue. 409 `agent_absent`, `at_capacity`, `ticket_closed`."""
        target = self.parsed(TransferSerializer)
        if agent := target.get("agent"):
            return answer(actions.transfer_to_agent(self.person(), ticket, agent))
        return answer(actions.transfer_to_category(self.person(), ticket, target["category"]))


class TicketPriority(ChatView):
    conflicts = (TicketClosed,)
    permission = ANSWER

    @extend_schema(operation_id="prioritise_ticket", request=NewPrioritySerializer, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Moves it in the queue: a step of priority goes before what waited half an hour longer. 409 `ticket_closed`."""
        priority = Priority[self.parsed(NewPrioritySerializer)["priority"].upper()]
        return answer(actions.prioritise(self.person(), ticket, priority))


class Assignments(ChatView):
    permission = LEAD
    pagination_class = Pages

    @extend_schema(operation_id="list_assignments", responses=AssignmentSerializer(many=True))
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """Who had the ticket, why, and by whose hand; newest first."""
        return self.page(queries.assignments(queries.ticket_for(self.person(), ticket).id), AssignmentSerializer)


class Proposals(ChatView):
    conflicts = (NothingToPropose, ApprovalPending)
    permission = ANSWER

    @extend_schema(operation_id="list_proposals", responses=ProposedSerializer(many=True))
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """What agents proposed out of the ticket, and what was decided."""
        return Response(ProposedSerializer(proposals.proposed(self.person(), ticket), many=True).data)

    @extend_schema(operation_id="propose", request=NewProposalSerializer, responses={201: ProposalSerializer})
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Proposes a refund or an extension to those who decide about money. 409 `nothing_to_propose`, `approval_pending`."""
        approval = proposals.propose(self.person(), ticket, proposals.Proposal(**self.parsed(NewProposalSerializer)))
        return Response(ProposalSerializer({"approval": approval}).data, status.HTTP_201_CREATED)


class ConnectTickets(ChatView):
    @extend_schema(
        operation_id="issue_connect_ticket",
        request=NewConnectTicketSerializer,
        responses={201: ConnectTicketSerializer},
    )
    def post(self, request: Request) -> Response:
        """A pass for one WebSocket, to one ticket or to the desk (null), good once and for 30 seconds, so that no token
        stands in a URL."""
        secret, expires_at = actions.issue_connect_ticket(
            self.person(), self.parsed(NewConnectTicketSerializer)["ticket"]
        )
        issued = ConnectTicketSerializer({"connect_ticket": secret, "expires_at": expires_at}).data
        return Response(issued, status.HTTP_201_CREATED)


class Me(ChatView):
    permission = ANSWER

    @extend_schema(operation_id="get_my_status", responses=AgentSerializer)
    def get(self, request: Request) -> Response:
        """Whether one counts as there, and one's load."""
        return Response(AgentSerializer(self.agent()).data)

    @extend_schema(operation_id="set_my_status", request=PresenceSerializer, responses=AgentSerializer)
    def put(self, request: Request) -> Response:
        """Says whether one is there. Counts for 60 s; repeat it, or keep a WebSocket open."""
        actions.set_status(self.person(), Presence(self.parsed(PresenceSerializer)["status"]))
        return Response(AgentSerializer(self.agent()).data)

    def agent(self) -> dict[str, Any]:
        return queries.agent(self.person())


class Agents(ChatView):
    permission = LEAD
    pagination_class = Pages

    @extend_schema(operation_id="list_agents", responses=AgentSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every agent: status, load, capacity."""
        return self.page(queries.agents(), AgentSerializer)


def answer(ticket: Ticket) -> Response:
    return Response(TicketSerializer(ticket).data)
