"""The API as one of Django's applications."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "api"
    verbose_name = "Operations"

    def ready(self) -> None:
        from api import checks

        checks.register_all()
