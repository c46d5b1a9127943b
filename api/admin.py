"""What `django.contrib.admin` finds of this application."""

from django.contrib import admin

from api.operators import group, letters, partitions

__all__ = ["group", "letters", "partitions"]

admin.site.site_header = admin.site.site_title = "swapstats"
