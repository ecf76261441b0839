"""Where agents work, inside the admin site."""

from django.contrib import admin
from django.urls import path

from config.permissions import declares
from support import desk

for_agents = declares("support.answer")

urlpatterns = [
    path("admin/support/", for_agents(admin.site.admin_view(desk.page)), name="desk"),
    path(
        "admin/support/tickets/<uuid:ticket>/learner/",
        for_agents(admin.site.admin_view(desk.learner)),
        name="desk_learner",
    ),
]
