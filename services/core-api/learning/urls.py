from django.urls import path

from learning import api, certificates_api, pages, progress_api, reviews_api

urlpatterns = [
    path("api/v1/enrolments/", api.EnrolmentsView.as_view()),
    path("api/v1/lessons/<uuid:lesson>/progress/", progress_api.LessonProgressView.as_view()),
    path("api/v1/courses/<slug:slug>/progress/", progress_api.CourseProgressView.as_view()),
    path("api/v1/courses/<slug:slug>/reviews/", reviews_api.ReviewsView.as_view()),
    path("api/v1/reviews/<uuid:pk>/", reviews_api.ReviewView.as_view()),
    path("api/v1/certificates/", certificates_api.OwnCertificates.as_view()),
    path("api/v1/certificates/<slug:code>/", certificates_api.CertificateView.as_view()),
    path("api/v1/certificates/<slug:code>/certificate.pdf", certificates_api.CertificatePdf.as_view()),
    path("certificates/<slug:code>/", pages.certificate),
]
