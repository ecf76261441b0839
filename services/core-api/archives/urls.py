from django.urls import path

from archives import api

urlpatterns = [
    path("api/v1/courses/import/", api.ImportView.as_view()),
    path("api/v1/courses/<slug:slug>/export/", api.ExportView.as_view()),
    path("api/v1/courses/<slug:slug>/duplicate/", api.DuplicateView.as_view()),
]
