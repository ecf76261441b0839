from django.urls import path

from approvals import api

urlpatterns = [
    path("api/v1/approvals/", api.Approvals.as_view()),
    path("api/v1/approvals/<uuid:pk>/approve/", api.Approve.as_view()),
    path("api/v1/approvals/<uuid:pk>/reject/", api.Reject.as_view()),
]
