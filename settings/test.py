"""Tests: needs nothing from outside. Tests that need real parts point at them themselves."""

from settings.base import *  # noqa: F403 - Django's way to build one settings module on another
from settings.base import SIMPLE_JWT

SECRET_KEY = "only-for-tests-" + 40 * "x"
SIMPLE_JWT["SIGNING_KEY"] = "only-for-tests-" + 40 * "y"
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True
