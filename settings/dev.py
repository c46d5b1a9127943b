"""Development and ``make up``: one machine, and secrets of its own made on first use."""

from settings.base import *  # noqa: F403 - Django's way to build one settings module on another
from settings.base import CONFIG, REST_FRAMEWORK, SECRET_KEY, SIMPLE_JWT
from settings.logs import logging_config
from settings.own_secret import own_secret

DEBUG = True
ALLOWED_HOSTS = ["*"]
SECRET_KEY = SECRET_KEY or own_secret(CONFIG.embedded.data_dir / "secret-key")
if SIMPLE_JWT["ALGORITHM"] == "HS256" and not SIMPLE_JWT["SIGNING_KEY"]:
    SIMPLE_JWT["SIGNING_KEY"] = own_secret(CONFIG.embedded.data_dir / "jwt-secret")

REST_FRAMEWORK["DEFAULT_RENDERER_CLASSES"].append("rest_framework.renderers.BrowsableAPIRenderer")
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

LOGGING = logging_config(CONFIG, otherwise="console")
