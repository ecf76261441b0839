"""Wallets, orders and postings in the admin site: to be read, since credit moves through actions alone. Coupons: to be made."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse

from accounts.models import User
from config.confirmation import ReasonForm, confirmed
from config.model_admin import LecternModelAdmin, ReadOnlyInline, ReadOnlyModelAdmin
from config.requests import person
from wallet.api import receipt_file
from wallet.models import Coupon, Lot, Order, OrderLine, Posting, Wallet
from wallet.queries import WITH_LINES, owed
from wallet.staff import WHAT_ADJUSTING_DOES, WHAT_REFUNDING_DOES, AdjustForm, adjust_once, refund_once


class PostingInline(ReadOnlyInline):
    """The newest postings of a wallet; all of them are in the list of postings."""

    model = Posting
    fk_name = "wallet"
    fields = ("wallet_seq", "kind", "debit", "credit", "amount", "balance_after", "order", "note", "created_at")
    ordering = ["-wallet_seq"]
    show_change_link = True
    newest = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        return super().get_queryset(request).select_related("debit", "credit", "order")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("wallet.view_posting")


class LotInline(ReadOnlyInline):
    """The promotional credit of a wallet, the newest first."""

    model = Lot
    fields = ("amount", "remaining", "expires_at", "created_at")
    ordering = ["-created_at"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("wallet.view_posting")


@admin.register(Wallet)
class WalletAdmin(ReadOnlyModelAdmin):
    list_display = ["user", "balance", "frozen", "head_seq"]
    list_select_related = ["user"]
    list_filter = ["frozen"]
    search_people = ("user",)
    ordering = ["-account_id"]  # the primary key; by name it would sort all wallets for each page
    fields = ["user", "balance", "promotional", "frozen", "owed", "head_seq"]
    inlines = [LotInline, PostingInline]
    actions = ["adjust"]

    @admin.display(description="owed")
    def owed(self, wallet: Wallet) -> int:
        return owed(wallet)

    def described(self, obj: Wallet) -> str:
        return f"{obj.user} ({obj.balance} credits)"

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallet.adjust")

    @confirmed(
        "Adjust wallet",
        WHAT_ADJUSTING_DOES,
        permission="adjust",
        form=AdjustForm,
    )
    def adjust(self, request: HttpRequest, wallet: Wallet, given: dict[str, Any]) -> str:
        by = person(request)
        return adjust_once(wallet.user, by, given["amount"], given["reason"], given["once"])


class OrderLineInline(ReadOnlyInline):
    model = OrderLine
    show_change_link = True  # to refund one of several
    fields = ("id", "title", "course", "list_price", "discount", "price", "refunded_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("course")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("wallet.view_order")


class RefundableAdmin(ReadOnlyModelAdmin):
    """What was bought. Finance gives the price back, below the limit by themselves."""

    actions = ["refund"]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund")

    def may_act_on(self, request: HttpRequest, obj: Order | OrderLine) -> bool:
        return bool(self.left(obj))

    def described(self, obj: Order | OrderLine) -> str:
        left = self.left(obj)
        titles = ", ".join(line.title for line in left)
        return f"{titles} of {left[0].order.user}, for {sum(line.price for line in left)} credits"

    def left(self, obj: Any) -> list[OrderLine]:
        """What of it is not refunded yet."""
        lines = obj.lines.all() if isinstance(obj, Order) else [obj]
        return [line for line in lines if not line.refunded_at]


@admin.register(Order)
class OrderAdmin(RefundableAdmin):
    list_display = ["id", "user", "courses", "price", "refunded", "created_at"]
    list_select_related = ["user"]
    search_people = ("user",)
    search_ids = ("pk", "user")
    list_filter = ["created_at"]
    ordering = ["-id"]  # version 7: newest first
    fields = ["id", "user", "price", "coupon", "created_at"]
    inlines = [OrderLineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).prefetch_related("lines")

    def get_urls(self) -> list[Any]:
        own = path("<uuid:pk>/receipt.pdf", self.admin_site.admin_view(self.receipt), name="wallet_order_receipt")
        return [own, *super().get_urls()]

    def links(self, request: HttpRequest, obj: Order) -> list[tuple[str, str]]:
        return [
            ("Receipt (PDF)", reverse("admin:wallet_order_receipt", args=[obj.pk])),
            *super().links(request, obj),
        ]

    def receipt(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return receipt_file(get_object_or_404(Order.objects.select_related("user").prefetch_related(WITH_LINES), pk=pk))

    @admin.display(description="courses")
    def courses(self, order: Order) -> str:
        return ", ".join(line.title for line in order.lines.all())

    @admin.display(boolean=True, description="refunded")
    def refunded(self, order: Order) -> bool:
        return not self.left(order)

    @confirmed("Refund", WHAT_REFUNDING_DOES, permission="refund", form=ReasonForm)
    def refund(self, request: HttpRequest, order: Order, given: dict[str, Any]) -> str:
        return refund_once(order, None, person(request), given["reason"], given["once"])


@admin.register(OrderLine)
class OrderLineAdmin(RefundableAdmin):
    """One course of an order."""

    list_display = ["title", "order", "buyer", "price", "refunded_at"]
    list_select_related = ["order__user"]
    list_filter = [("refunded_at", admin.EmptyFieldListFilter)]
    search_people = ("order__user",)
    search_ids = ("pk", "order")
    ordering = ["-id"]  # version 7: newest first
    fields = ["title", "course", "order", "buyer", "list_price", "discount", "price", "refunded_at"]

    @admin.display(description="user")
    def buyer(self, line: OrderLine) -> User:
        return line.order.user

    @confirmed("Refund", WHAT_REFUNDING_DOES, permission="refund", form=ReasonForm)
    def refund(self, request: HttpRequest, line: OrderLine, given: dict[str, Any]) -> str:
        return refund_once(line.order, line, person(request), given["reason"], given["once"])


@admin.register(Posting)
class PostingAdmin(ReadOnlyModelAdmin):
    list_display = ["created_at", "kind", "debit", "credit", "amount", "wallet_seq", "balance_after", "note"]
    list_select_related = ["debit", "credit"]
    list_filter = ["kind"]
    search_people = ("wallet__user",)
    search_ids = ("pk", "order", "wallet")
    ordering = ["-id"]  # version 7: newest first, by the primary key's index
    fields = [
        *("id", "created_at", "kind", "debit", "credit", "amount", "wallet", "wallet_seq", "balance_after"),
        *("order", "order_line", "topup", "caused_by", "note", "hash_hex", "previous_hash_hex"),
    ]

    @admin.display(description="hash")
    def hash_hex(self, posting: Posting) -> str:
        return bytes(posting.hash or b"").hex()

    @admin.display(description="previous hash")
    def previous_hash_hex(self, posting: Posting) -> str:
        return bytes(posting.previous_hash or b"").hex()


class CouponForm(ModelForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    def clean_limit(self) -> int | None:
        """The database holds it too, but Django leaves out a constraint that names a column which is not in the form."""
        limit: int | None = self.cleaned_data["limit"]
        if limit is not None and limit < self.instance.used:
            raise ValidationError(f"{self.instance.used} orders use it already. To stop it, let it end.")
        return limit


@admin.register(Coupon)
class CouponAdmin(LecternModelAdmin):
    form = CouponForm
    list_display = ["code", "percent", "credits", "starts_at", "ends_at", "used", "limit", "limit_per_person"]
    search_fields = ["code"]
    ordering = ["-id"]  # version 7: newest first
    fields = [
        *("code", "percent", "credits", "courses", "starts_at", "ends_at"),
        *("limit", "limit_per_person", "used"),
    ]
    filter_horizontal = ["courses"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Coupon | None:
        """Held from before its form is checked until it is saved: no order uses it in between, and no other form changes it."""
        coupon: Coupon | None = super().get_object(request, object_id, from_field)
        if coupon is None or request.method != "POST":
            return coupon
        return Coupon.objects.select_for_update(no_key=True).filter(pk=coupon.pk).first()

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> list[str]:
        return ["used", "code"] if obj and obj.used else ["used"]  # orders show the code that they used

    def save_model(self, request: HttpRequest, obj: Coupon, form: ModelForm[Coupon], change: bool) -> None:
        """Writes what was changed alone: `used` counts on while somebody looks at the form."""
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data) if change else None)
