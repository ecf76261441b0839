from django.urls import path

from books import api

urlpatterns = [
    path("api/v1/wallet/statement/", api.OwnStatement.as_view()),
    path("api/v1/wallets/<uuid:user>/statement/", api.Statement.as_view()),
    path("api/v1/books/journal/", api.Journal.as_view()),
    path("api/v1/books/trial-balance/", api.TrialBalance.as_view()),
]
