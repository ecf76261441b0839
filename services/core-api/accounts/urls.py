from django.urls import path

from accounts import api

urlpatterns = [
    path("api/v1/auth/register/", api.RegisterView.as_view()),
    path("api/v1/auth/token/", api.TokenView.as_view()),
    path("api/v1/auth/token/refresh/", api.RefreshView.as_view()),
    path("api/v1/auth/logout/", api.LogoutView.as_view()),
    path("api/v1/auth/logout-everywhere/", api.LogoutEverywhereView.as_view()),
    path("api/v1/me/", api.MeView.as_view()),
    path(".well-known/jwks.json", api.JwksView.as_view()),
]
