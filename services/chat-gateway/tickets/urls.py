"""/chat/v1/…"""

from __future__ import annotations

from django.urls import path

from tickets import api, attachments_api, desk_api, documents, labels_api, notes_api

urlpatterns = [
    path("categories/", api.Categories.as_view()),
    path("tickets/", api.Tickets.as_view()),
    path("tickets/<uuid:ticket>/", api.OneTicket.as_view()),
    path("tickets/<uuid:ticket>/messages/", api.Messages.as_view()),
    path("tickets/<uuid:ticket>/notes/", notes_api.Notes.as_view()),
    path("tickets/<uuid:ticket>/read/", api.Read.as_view()),
    path("tickets/<uuid:ticket>/close/", api.Close.as_view()),
    path("tickets/<uuid:ticket>/reopen/", api.Reopen.as_view()),
    path("tickets/<uuid:ticket>/claim/", api.Claim.as_view()),
    path("tickets/<uuid:ticket>/transfer/", api.Transfer.as_view()),
    path("tickets/<uuid:ticket>/priority/", api.TicketPriority.as_view()),
    path("tickets/<uuid:ticket>/assignments/", api.Assignments.as_view()),
    path("tickets/<uuid:ticket>/proposals/", api.Proposals.as_view()),
    path("tickets/<uuid:ticket>/attachments/", attachments_api.Attachments.as_view()),
    path("attachments/<uuid:attachment>/", attachments_api.OneAttachment.as_view()),
    path("tickets/<uuid:ticket>/rate/", labels_api.Rate.as_view()),
    path("tickets/<uuid:ticket>/tags/", labels_api.Tags.as_view()),
    path("tickets/<uuid:ticket>/transcript/", desk_api.Transcript.as_view()),
    path("canned-answers/", desk_api.CannedAnswers.as_view()),
    path("stats/", desk_api.Stats.as_view()),
    path("connect-tickets/", api.ConnectTickets.as_view()),
    path("agents/me/", api.Me.as_view()),
    path("agents/", api.Agents.as_view()),
    path("openapi.json", documents.OpenApi.as_view()),
    path("asyncapi.json", documents.AsyncApi.as_view()),
]
