"""Django's own admin, as Lectern's."""

from django.contrib.admin import AdminSite


class LecternAdminSite(AdminSite):
    site_header = site_title = "Lectern"
    index_title = "Administration"
