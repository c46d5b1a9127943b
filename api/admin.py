"""What `django.contrib.admin` finds of this application."""

from django.contrib import admin

from api.operators import clients, group, letters, partitions, refusals

__all__ = ["clients", "group", "letters", "partitions", "refusals"]

admin.site.site_header = admin.site.site_title = "swapstats"
