"""What one is enrolled in."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView

from config.permissions import Authenticated
from config.requests import person
from learning.models import Enrolment
from learning.queries import running
from learning.serializers import EnrolmentLine
from learning.standing import with_counts


@extend_schema_view(get=extend_schema(operation_id="list_enrolments"))
class EnrolmentsView(ListAPIView[Enrolment]):
    """One's enrolments that give access now, the newest first."""

    permission_classes = (Authenticated,)
    serializer_class = EnrolmentLine
    queryset = Enrolment.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Enrolment]:
        user = person(self.request)
        return with_counts(running(user), user).select_related("course").order_by("-started_at", "-id")
