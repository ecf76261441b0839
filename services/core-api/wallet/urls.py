from django.urls import path

from wallet import api

urlpatterns = [
    path("api/v1/wallet/", api.OwnWallet.as_view()),
    path("api/v1/wallet/transactions/", api.OwnMovements.as_view()),
    path("api/v1/orders/", api.Orders.as_view()),
    path("api/v1/orders/<uuid:pk>/", api.OneOrder.as_view()),
    path("api/v1/orders/<uuid:pk>/receipt.pdf", api.OrderReceipt.as_view()),
    path("api/v1/orders/<uuid:pk>/refund/", api.OrderRefund.as_view()),
    path("api/v1/wallets/<uuid:user>/", api.OneWallet.as_view()),
    path("api/v1/wallets/<uuid:user>/adjust/", api.WalletAdjustment.as_view()),
    path("api/v1/wallets/<uuid:user>/promotions/", api.WalletPromotions.as_view()),
]
