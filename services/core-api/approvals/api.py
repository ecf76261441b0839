"""Routes of those who decide what others propose."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals import actions
from approvals.errors import Decided, NotYours, PromotionOver
from approvals.models import Approval
from approvals.serializers import ApprovalSerializer, ApprovalsQuery, DecisionRequest
from config.openapi import refusals
from config.permissions import holds
from config.problems import Forbidden, Invalid, NotFound
from config.requests import person, validated
from learning.errors import EnrolmentOver
from payments.errors import ProviderRefused, ProviderUnavailable, TopUpDisputed, TopUpNotPaid
from wallet.errors import Busy, InsufficientCredit

Deciders = holds("payments.refund")


@extend_schema_view(
    get=extend_schema(
        operation_id="list_approvals",
        parameters=[ApprovalsQuery],
        responses={200: ApprovalSerializer} | refusals(Invalid),
    )
)
class Approvals(ListAPIView[Approval]):
    """What was proposed, newest first; with `state=pending` what waits."""

    permission_classes = [Deciders]
    serializer_class = ApprovalSerializer
    queryset = Approval.objects.order_by("-id")

    def get_queryset(self) -> QuerySet[Approval]:
        asked = ApprovalsQuery(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return super().get_queryset().filter(**asked.validated_data)


class Approve(APIView):
    permission_classes = [Deciders]

    @extend_schema(
        operation_id="approve",
        summary="Approve a proposal",
        description="It is done at once. Not by whoever proposed it, nor by whom it is for. Approved twice: done once.",
        request=DecisionRequest,
        responses={200: ApprovalSerializer}
        | refusals(
            *(NotFound, NotYours, Forbidden, Decided, Busy, InsufficientCredit, EnrolmentOver, PromotionOver, Invalid),
            *(TopUpNotPaid, TopUpDisputed, ProviderUnavailable, ProviderRefused),
        ),
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        body = validated(DecisionRequest, request)
        return Response(ApprovalSerializer(actions.approve(pk, person(request), **body)).data)


class Reject(APIView):
    permission_classes = [Deciders]

    @extend_schema(
        operation_id="reject",
        summary="Reject a proposal",
        description="Nothing moves. Not by whoever proposed it, nor by whom it is for.",
        request=DecisionRequest,
        responses={200: ApprovalSerializer} | refusals(NotFound, NotYours, Forbidden, Decided, Busy, Invalid),
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        body = validated(DecisionRequest, request)
        return Response(ApprovalSerializer(actions.reject(pk, person(request), **body)).data)
