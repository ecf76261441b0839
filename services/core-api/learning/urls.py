from django.urls import path

from learning import api, progress_api

urlpatterns = [
    path("api/v1/enrolments/", api.EnrolmentsView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/progress/", progress_api.LessonProgressView.as_view()),
    path("api/v1/courses/<slug:slug>/progress/", progress_api.CourseProgressView.as_view()),
]
