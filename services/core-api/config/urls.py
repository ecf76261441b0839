"""Every address of core-api. An app's routes stand in its own urls.py."""

from django.contrib import admin
from django.urls import include, path

from accounts.second_factor_pages import second_factor_page

handler400 = "config.problems.bad_request"
handler403 = "config.problems.forbidden"
handler404 = "config.problems.not_found"
handler500 = "config.problems.server_error"

urlpatterns = [
    path("admin/second-factor/", second_factor_page, name="second_factor"),
    path("", include("support.urls")),  # before the admin site: its index of this app is the desk
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
    path("", include("mail.urls")),
    path("", include("privacy.urls")),
    path("", include("archives.urls")),  # before courses: its courses/import/ is no course
    path("", include("courses.urls")),
    path("", include("learning.urls")),
    path("", include("media.urls")),
    path("", include("wallet.urls")),
    path("", include("payments.urls")),
    path("", include("approvals.urls")),
    path("", include("books.urls")),
    path("", include("config.urls_system")),
]
