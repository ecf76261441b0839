"""Reviews of a course, and one's own."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.openapi import refusals
from config.permissions import Authenticated, Public, by_method
from config.requests import person, validated
from courses.errors import NotEnrolled
from learning import reviews
from learning.errors import AlreadyReviewed, ReviewHidden
from learning.finding import find_course
from learning.models import Review
from wallet.serializers import StrictSerializer

MAX_TEXT = 4_000


class ReviewChange(StrictSerializer):
    rating = serializers.IntegerField(min_value=1, max_value=5)
    text = serializers.CharField(max_length=MAX_TEXT, allow_blank=True, required=False)


class ReviewBody(ReviewChange):
    text = serializers.CharField(max_length=MAX_TEXT, allow_blank=True, required=False, default="")


class ReviewLine(serializers.ModelSerializer[Review]):
    author = serializers.CharField(source="user.get_short_name", read_only=True)
    mine = serializers.SerializerMethodField()
    hidden = serializers.SerializerMethodField(help_text="By the staff: only you see it, and it does not count.")

    class Meta:
        model = Review
        fields = ["id", "author", "rating", "text", "created_at", "updated_at", "mine", "hidden"]

    def get_mine(self, review: Review) -> bool:
        return bool(review.user_id == self.context["request"].user.pk)

    def get_hidden(self, review: Review) -> bool:
        return review.hidden_at is not None


class ReviewsView(ListAPIView[Review]):
    permission_classes = (by_method(GET=Public, POST=Authenticated),)
    serializer_class = ReviewLine
    queryset = Review.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Review]:
        user = person(self.request)
        return reviews.reviews_of(find_course(user, self.kwargs["slug"]), user)

    @extend_schema(operation_id="list_reviews")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What people say who have the course, the newest first."""
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="review_course",
        request=ReviewBody,
        responses={201: ReviewLine} | refusals(NotEnrolled, AlreadyReviewed),
    )
    def post(self, request: Request, slug: str) -> Response:
        """Reviews a course that you have. Everybody has one review of a course: change it, or take it back."""
        body = validated(ReviewBody, request)
        review = reviews.do_review(person(request), find_course(request.user, slug), **body)
        return Response(ReviewLine(review, context={"request": request}).data, status=201)


class ReviewView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(
        operation_id="change_review", request=ReviewChange, responses={200: ReviewLine} | refusals(ReviewHidden)
    )
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        """Changes your review."""
        body = ReviewChange(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        review = reviews.do_change(person(request), pk, **body.validated_data)
        return Response(ReviewLine(review, context={"request": request}).data)

    @extend_schema(operation_id="delete_review", responses={204: None} | refusals(ReviewHidden))
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        """Takes your review back."""
        reviews.do_take_back(person(request), pk)
        return Response(status=204)
