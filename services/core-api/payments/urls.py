from django.urls import path

from payments import api

urlpatterns = [
    path("api/v1/wallet/packs/", api.Packs.as_view()),
    path("api/v1/wallet/topups/", api.TopUps.as_view()),
    path("api/v1/wallet/topups/<uuid:pk>/", api.OneTopUp.as_view()),
    path("api/v1/wallet/topups/<uuid:pk>/refund/", api.TopUpRefund.as_view()),
    path("api/v1/payments/<slug:provider>/webhook/", api.Webhook.as_view(), name="payment-webhook"),
    path("api/v1/payments/sandbox/checkout/<slug:reference>/", api.SandboxCheckout.as_view(), name="sandbox-checkout"),
]
