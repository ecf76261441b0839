"""Certificates: one's own, and the check that anybody may do who has a code."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.negotiation import OneFormat
from config.openapi import refusals
from config.permissions import Authenticated, Public
from config.problems import NotFound
from config.requests import person
from learning.certificates import certificates_of, find_certificate, page_of
from learning.codes import as_kept
from learning.errors import CertificateRevoked
from learning.models import Certificate


class CertificateLine(serializers.ModelSerializer[Certificate]):
    """Who finished what, when: in the names of that day."""

    page_url = serializers.SerializerMethodField(help_text="Where anybody checks it, in a browser.")

    class Meta:
        model = Certificate
        fields = ["code", "name", "title", "completed_at", "page_url"]

    def get_page_url(self, certificate: Certificate) -> str:
        return page_of(certificate)


class OwnCertificate(CertificateLine):
    course = serializers.SlugField(source="course.slug", read_only=True)

    class Meta(CertificateLine.Meta):
        fields = ["course", *CertificateLine.Meta.fields]


@extend_schema_view(get=extend_schema(operation_id="list_certificates"))
class OwnCertificates(ListAPIView[Certificate]):
    """Your certificates, the newest first. Whoever completes all lessons of a course gets one, once."""

    permission_classes = (Authenticated,)
    serializer_class = OwnCertificate
    queryset = Certificate.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Certificate]:
        return certificates_of(person(self.request))


class CertificateView(APIView):
    permission_classes = (Public,)

    @extend_schema(
        operation_id="check_certificate",
        summary="Check a certificate",
        description="Who finished what, when. The code may be typed with hyphens and in any case of letters.",
        responses={200: CertificateLine} | refusals(NotFound, CertificateRevoked),
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(CertificateLine(find_certificate(code)).data)


class CertificatePdf(APIView):
    permission_classes = (Authenticated,)
    content_negotiation_class = OneFormat

    @extend_schema(
        operation_id="certificate_pdf",
        summary="One of your certificates, as PDF",
        description="A page to print, with a QR code to where anybody checks it.",
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, description="A PDF, to be saved.")}
        | refusals(NotFound),
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        from learning.certificate_pdf import certificate_pdf  # here, since its fonts cost half a second

        own = certificates_of(person(request)).select_related("user", "course")
        certificate = get_object_or_404(own, code=as_kept(code))
        name = f"certificate-{certificate.code}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return HttpResponse(certificate_pdf(certificate), content_type="application/pdf", headers=headers)
