from django.urls import path

from learning import api

urlpatterns = [path("api/v1/enrolments/", api.EnrolmentsView.as_view())]
