"""Shapes of proposals and decisions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.models import Approval
from wallet.idempotency import Answer
from wallet.serializers import StrictSerializer

PENDING_CODE = "approval_pending"


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    lines = serializers.ListField(child=serializers.UUIDField(), allow_null=True, help_text="Nothing: all of them.")
    ticket = serializers.UUIDField(source="ticket_id", allow_null=True)

    class Meta:
        model = Approval
        fields = [
            *(
                "id",
                "kind",
                "state",
                "person",
                "order",
                "lines",
                "topup",
                "enrolment",
                "days",
                "amount",
                "expires_at",
                "reason",
            ),
            *("ticket", "proposed_by", "proposed_at", "decided_by", "decided_at", "note"),
        ]


class ApprovalsQuery(serializers.Serializer[Any]):
    state = serializers.ChoiceField(Approval.State.choices, required=False)


class PendingSerializer(serializers.Serializer[Any]):
    """The answer 202: nothing has moved, another person decides."""

    code = serializers.ChoiceField([PENDING_CODE])
    approval = serializers.SerializerMethodField()

    @extend_schema_field(ApprovalSerializer)
    def get_approval(self, approval: Approval) -> dict[str, Any]:
        return dict(ApprovalSerializer(approval).data)


class DecisionRequest(StrictSerializer):
    note = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="Told to whoever proposed it."
    )


def pending(approval: Approval) -> Answer:
    return Answer(202, {"code": PENDING_CODE, "approval": ApprovalSerializer(approval).data})
