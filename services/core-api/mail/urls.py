from django.urls import path

from mail import pages

urlpatterns = [path("account/unsubscribe/", pages.unsubscribe)]
