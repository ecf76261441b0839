from django.urls import path

from privacy import api

urlpatterns = [path("api/v1/me/export/", api.ExportView.as_view())]
