from django.contrib.admin.apps import AdminConfig


class LecternAdminConfig(AdminConfig):
    default_site = "config.admin_site.LecternAdminSite"
