from django.urls import path

from media import api, files_api

urlpatterns = [
    path("api/v1/lessons/<uuid:lesson>/video/", api.VideoView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/video/retry/", api.RetryView.as_view()),
    path("api/v1/courses/<slug:slug>/poster/", files_api.PosterView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/captions/<str:language>/", files_api.CaptionView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/attachments/", files_api.AttachmentsView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/attachments/<uuid:attachment>/", files_api.AttachmentView.as_view()),
]
