from django.urls import path

from accounts import api, mailed_api, pages, session_api

urlpatterns = [
    path("api/v1/auth/register/", api.RegisterView.as_view()),
    path("api/v1/auth/token/", api.TokenView.as_view()),
    path("api/v1/auth/token/session/", session_api.AdminSessionTokenView.as_view()),
    path("api/v1/auth/token/refresh/", api.RefreshView.as_view()),
    path("api/v1/auth/logout/", api.LogoutView.as_view()),
    path("api/v1/auth/logout-everywhere/", api.LogoutEverywhereView.as_view()),
    path("api/v1/auth/email/send/", mailed_api.EmailSendView.as_view()),
    path("api/v1/auth/email/verify/", mailed_api.EmailVerifyView.as_view()),
    path("api/v1/auth/password/change/", mailed_api.PasswordChangeView.as_view()),
    path("api/v1/auth/password/reset/", mailed_api.PasswordResetView.as_view()),
    path("api/v1/auth/password/reset/confirm/", mailed_api.PasswordResetConfirmView.as_view()),
    path("api/v1/me/", api.MeView.as_view()),
    path("api/v1/me/sessions/", session_api.SessionsView.as_view()),
    path("api/v1/me/sessions/<uuid:session>/", session_api.SessionView.as_view()),
    path("account/verify/", pages.verify),
    path("account/reset/", pages.reset),
    path(".well-known/jwks.json", api.JwksView.as_view()),
]
