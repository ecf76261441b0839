"""Routes of credit packs, top-ups and what providers send."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, HttpResponseRedirect
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals.errors import AnotherPending
from approvals.serializers import PendingSerializer
from config.openapi import refusals
from config.permissions import Authenticated, Public, holds
from config.problems import Forbidden, Invalid, Malformed, NotFound
from config.requests import person, validated
from payments import actions, sandbox
from payments.errors import (
    NothingToReverse,
    PaymentSettled,
    ProviderRefused,
    ProviderUnavailable,
    SignatureInvalid,
    TopUpDisputed,
    TopUpNotPaid,
)
from payments.events import apply_event
from payments.models import CreditPack, TopUp
from payments.providers import providers
from payments.providers.base import ProviderError
from payments.refunds import refund_topup
from payments.serializers import PackSerializer, SandboxRequest, TopUpRefundRequest, TopUpRequest, TopUpSerializer
from wallet.api import KEY_REFUSALS
from wallet.errors import Busy, InsufficientCredit
from wallet.idempotency import request_key
from wallet.openapi import IDEMPOTENCY_KEY


@extend_schema_view(get=extend_schema(operation_id="list_packs"))
class Packs(ListAPIView[CreditPack]):
    """The credit packs on sale. `amount` is in the currency's smallest unit (cents)."""

    permission_classes = [Public]
    serializer_class = PackSerializer
    queryset = CreditPack.objects.filter(is_active=True)


class TopUps(APIView):
    permission_classes = [Authenticated]

    @extend_schema(
        operation_id="buy_credit",
        summary="Buy a credit pack",
        description=(
            "Send the buyer to `checkout_url`. The credit arrives when the provider says that the payment is made: "
            "ask for the top-up until its `status` is no longer `pending`."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=TopUpRequest,
        responses={201: TopUpSerializer} | refusals(ProviderUnavailable, ProviderRefused, *KEY_REFUSALS),
    )
    def post(self, request: Request) -> Response:
        key = request_key(request, "topups.create")
        body = validated(TopUpRequest, request)
        return actions.buy_pack(key, body["pack"], body["provider"]).response()


@extend_schema_view(get=extend_schema(operation_id="topup"))
class OneTopUp(RetrieveAPIView[TopUp]):
    """One of your top-ups."""

    permission_classes = [Authenticated]
    serializer_class = TopUpSerializer
    queryset = TopUp.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[TopUp]:
        return TopUp.objects.filter(user=person(self.request))


NOT_YET = PolymorphicProxySerializer(
    "TopUpRefundUnderWay", [TopUpSerializer, PendingSerializer], resource_type_field_name=None
)


class TopUpRefund(APIView):
    permission_classes = [holds("payments.refund")]

    @extend_schema(
        operation_id="refund_topup",
        summary="Refund a top-up",
        description=(
            "Takes its credits back at once, then has the provider give back all of its money that did not go back before. "
            "202: the provider takes its time, `status` is `refunded` when it is done; or it is above the limit for one "
            "person, and waits for another one's approval. Not for one's own top-ups."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=TopUpRefundRequest,
        responses={200: TopUpSerializer, 202: NOT_YET}
        | refusals(
            *(InsufficientCredit, Forbidden, NotFound, TopUpNotPaid, TopUpDisputed, AnotherPending),
            *(ProviderUnavailable, ProviderRefused, *KEY_REFUSALS),
        ),
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        key = request_key(request, "topups.refund", topup=pk)
        body = validated(TopUpRefundRequest, request)
        return refund_topup(key, pk, body["reason"]).response()


class Webhook(APIView):
    """The provider's signature says who sends."""

    permission_classes = [Public]
    authentication_classes = []

    @extend_schema(
        operation_id="payment_webhook",
        summary="What a payment provider sends",
        description="Answers 200 for a repeated event too; each event is applied once.",
        request=dict[str, Any],
        responses={200: dict[str, Any]} | refusals(SignatureInvalid, Malformed, NotFound, Busy, ProviderUnavailable),
    )
    def post(self, request: Request, provider: str) -> Response:
        known = providers().get(provider)
        if known is None:
            raise NotFound
        try:
            for event in known.parse_event(request.body, request.headers):
                apply_event(known.name, event)
        except ProviderError as error:
            raise ProviderUnavailable(
                "The provider could not be asked about this event. Send it again later."
            ) from error
        return Response({"received": True})


class SandboxCheckout(APIView):
    """The sandbox provider's hosted page. Whoever has its address may pay, as with any provider's."""

    permission_classes = [Public]
    authentication_classes = []
    parser_classes = [JSONParser, FormParser]
    renderer_classes = [JSONRenderer, TemplateHTMLRenderer]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "sandbox" not in providers():
            raise NotFound

    def handle_exception(self, exc: Exception) -> Response:
        self.request.accepted_renderer = JSONRenderer()  # problems are JSON, also for browsers
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)

    @extend_schema(
        operation_id="sandbox_checkout",
        summary="The page where a buyer pays at the sandbox",
        responses={(200, "text/html"): str} | refusals(NotFound),
    )
    def get(self, request: Request, reference: str) -> Response:
        payment = sandbox.payment_of(reference)
        whole, cents = divmod(payment.amount, 100)
        page = {"price": f"{whole}.{cents:02} {payment.currency}", "outcome": payment.outcome}
        return Response(page, template_name="payments/checkout.html")

    @extend_schema(
        operation_id="sandbox_pay",
        summary="Pay at the sandbox, or fail to",
        description="The sandbox sends its signed webhook, `copies` times, after `delay_s` seconds.",
        request=SandboxRequest,
        responses={202: dict[str, Any]} | refusals(NotFound, PaymentSettled, NothingToReverse, Invalid),
    )
    def post(self, request: Request, reference: str) -> HttpResponseBase:
        body = validated(SandboxRequest, request)
        payment = sandbox.decide(reference, **body)
        if request.accepted_renderer.format == "html":
            return HttpResponseRedirect(request.path, status=303)
        return Response({"reference": payment.reference, "outcome": body["outcome"]}, status=202)
