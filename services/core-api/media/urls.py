from django.urls import path

from media import api

urlpatterns = [
    path("api/v1/lessons/<uuid:lesson>/video/", api.VideoView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/video/retry/", api.RetryView.as_view()),
]
