"""Routes of wallets and orders."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from approvals.errors import AnotherPending
from approvals.models import Approval
from approvals.proposals import do_adjust_or_propose, do_promote_or_propose, do_refund_or_propose
from approvals.serializers import PendingSerializer, pending
from config.negotiation import OneFormat
from config.openapi import refusals
from config.permissions import Authenticated, holds
from config.problems import Invalid, NotFound
from config.requests import person, validated
from learning.errors import AlreadyEnrolled
from wallet import actions, queries
from wallet.errors import (
    AccessOver,
    Busy,
    CouponExpired,
    CouponNotForThis,
    CouponUnknown,
    CouponUsedUp,
    InsufficientCredit,
    KeyInvalid,
    KeyMissing,
    KeyReused,
    PriceChanged,
    WalletFrozen,
)
from wallet.idempotency import Answer, once, request_key
from wallet.models import Order, Posting, Wallet
from wallet.openapi import IDEMPOTENCY_KEY
from wallet.serializers import (
    AdjustRequest,
    LotSerializer,
    MovementSerializer,
    OrderSerializer,
    PlacedOrderSerializer,
    PromotionRequest,
    PurchaseRequest,
    RefundRequest,
    WalletSerializer,
)

KEY_REFUSALS = (KeyMissing, KeyInvalid, KeyReused, Busy, Invalid)
COUPON_REFUSALS = (CouponUnknown, CouponExpired, CouponUsedUp, CouponNotForThis)


@extend_schema_view(get=extend_schema(operation_id="wallet"))
class OwnWallet(RetrieveAPIView[Wallet]):
    """What your wallet holds."""

    permission_classes = [Authenticated]
    serializer_class = WalletSerializer

    def get_object(self) -> Wallet:
        return queries.wallet_of(person(self.request))


@extend_schema_view(get=extend_schema(operation_id="list_wallet_transactions"))
class OwnMovements(ListAPIView[Posting]):
    """Every movement of your credit, newest first; `amount` is negative where credit left the wallet."""

    permission_classes = [Authenticated]
    serializer_class = MovementSerializer
    queryset = Posting.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Posting]:
        return queries.movements_of(person(self.request))


class Orders(ListAPIView[Order]):
    permission_classes = [Authenticated]
    serializer_class = OrderSerializer
    queryset = Order.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Order]:
        return queries.orders_of(person(self.request))

    @extend_schema(operation_id="list_orders", summary="Your orders, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="buy",
        summary="Buy a course or a bundle",
        description=(
            "Credit, order and enrolments change together or not at all. A free course costs 0 credits. A bundle's price is "
            "divided among its courses; of those that you have already you pay nothing, and they are no lines of the order."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=PurchaseRequest,
        responses={201: PlacedOrderSerializer}
        | refusals(
            *(InsufficientCredit, NotFound, AlreadyEnrolled, PriceChanged, AccessOver, WalletFrozen),
            *COUPON_REFUSALS,
            *KEY_REFUSALS,
        ),
    )
    def post(self, request: Request) -> Response:
        key = request_key(request, "orders.create")
        body = validated(PurchaseRequest, request)
        return once(key, lambda: _buy(person(request), body)).response()


def _buy(buyer: User, body: dict[str, Any]) -> Answer:
    return Answer(201, _PLACED.to_representation(actions.do_purchase(buyer, **body)))


_PLACED = PlacedOrderSerializer()  # made once: from a model, REST framework makes an answer's fields anew each time


@extend_schema_view(get=extend_schema(operation_id="order"))
class OneOrder(RetrieveAPIView[Order]):
    """One of your orders."""

    permission_classes = [Authenticated]
    serializer_class = OrderSerializer
    queryset = Order.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Order]:
        return queries.orders_of(person(self.request))


def receipt_file(order: Order) -> HttpResponse:
    from wallet.receipts import receipt  # here, since its fonts would cost every worker and every command half a second

    name = f"receipt-{order.pk}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(receipt(order), content_type="application/pdf", headers=headers)


class OrderReceipt(APIView):
    permission_classes = [Authenticated]
    content_negotiation_class = OneFormat

    @extend_schema(
        operation_id="order_receipt",
        summary="The receipt of one of your orders, as PDF",
        description="What was bought, at which price in credits, and what of it was refunded. It is no tax invoice.",
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, description="A PDF, to be saved.")}
        | refusals(NotFound),
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        return receipt_file(get_object_or_404(queries.orders_of(person(request)).select_related("user"), pk=pk))


class OrderRefund(APIView):
    permission_classes = [holds("payments.refund")]

    @extend_schema(
        operation_id="refund_order",
        summary="Refund an order, or some of its lines",
        description=(
            "The lines' price returns to the buyer's wallet and their enrolments end. A refunded line stays as it is. "
            "202: it is above the limit for one person, and waits for another one's approval."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=RefundRequest,
        responses={200: OrderSerializer, 202: PendingSerializer} | refusals(NotFound, AnotherPending, *KEY_REFUSALS),
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        key = request_key(request, "orders.refund", order=pk)
        body = validated(RefundRequest, request)
        return once(key, lambda: _refund(pk, person(request), body)).response()


def _refund(order_id: uuid.UUID, by: User, body: dict[str, Any]) -> Answer:
    order = do_refund_or_propose(order_id, by, body["reason"], body.get("lines"))
    if isinstance(order, Approval):
        return pending(order)
    prefetch_related_objects([order], queries.WITH_LINES)
    return Answer(200, OrderSerializer(order).data)


@extend_schema_view(get=extend_schema(operation_id="wallet_of"))
class OneWallet(RetrieveAPIView[Wallet]):
    """What a person's wallet holds."""

    permission_classes = [holds("wallet.adjust")]
    serializer_class = WalletSerializer

    def get_object(self) -> Wallet:
        return queries.wallet_of(get_object_or_404(User, pk=self.kwargs["user"]))


class WalletAdjustment(APIView):
    permission_classes = [holds("wallet.adjust")]

    @extend_schema(
        operation_id="adjust_wallet",
        summary="Give a person credit, or take some away",
        description="202: it is above the limit for one person, and waits for another one's approval.",
        parameters=[IDEMPOTENCY_KEY],
        request=AdjustRequest,
        responses={200: WalletSerializer, 202: PendingSerializer}
        | refusals(NotFound, InsufficientCredit, *KEY_REFUSALS),
    )
    def post(self, request: Request, user: uuid.UUID) -> Response:
        key = request_key(request, "wallets.adjust", user=user)
        body = validated(AdjustRequest, request)
        return once(key, lambda: _adjust(get_object_or_404(User, pk=user), person(request), body)).response()


def _adjust(user: User, by: User, body: dict[str, Any]) -> Answer:
    wallet = do_adjust_or_propose(user, body["amount"], by, body["reason"])
    if isinstance(wallet, Approval):
        return pending(wallet)
    return Answer(200, WalletSerializer(wallet).data)


class WalletPromotions(APIView):
    permission_classes = [holds("wallet.adjust")]

    @extend_schema(
        operation_id="grant_promotion",
        summary="Give a person credit that expires",
        description=(
            "It is spent before all other credit, the lot that expires earliest first. "
            "202: it is above the limit for one person, and waits for another one's approval."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=PromotionRequest,
        responses={201: LotSerializer, 202: PendingSerializer} | refusals(NotFound, *KEY_REFUSALS),
    )
    def post(self, request: Request, user: uuid.UUID) -> Response:
        key = request_key(request, "wallets.promotions", user=user)
        body = validated(PromotionRequest, request)
        return once(key, lambda: _promote(get_object_or_404(User, pk=user), person(request), body)).response()


def _promote(user: User, by: User, body: dict[str, Any]) -> Answer:
    lot = do_promote_or_propose(user, body["amount"], body["expires_at"], by, body["reason"])
    if isinstance(lot, Approval):
        return pending(lot)
    return Answer(201, LotSerializer(lot).data)
