"""What all environments share, built from the typed configuration. Nothing connects here."""

from typing import Any

from settings.cache import caches
from settings.channel_layer import channel_layers
from settings.config import load_config
from settings.config.values import PROJECT_DIR
from settings.database import databases
from settings.logs import logging_config
from settings.tokens import simple_jwt
from swapstats.metrics.processes import share_metrics

share_metrics()
CONFIG = load_config()

DEBUG = False
PRODUCTION = False
"""Whether web processes refuse to start from what must not be served from."""
ALLOWED_HOSTS = list(CONFIG.api.http.public_hosts)
SECRET_KEY = CONFIG.security.secret_key.get_secret_value() if CONFIG.security.secret_key else ""

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "api",
    "realtime",
    "aggregator",
]

MIDDLEWARE = [
    "api.request_id.request_id_middleware",
    "swapstats.metrics.page.MetricsPage",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "api.security_headers.security_headers_middleware",
    "django.middleware.security.SecurityMiddleware",
    "api.limits.size_limits_middleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "swapstats.urls"
ASGI_APPLICATION = "swapstats.asgi.application"
WSGI_APPLICATION = "swapstats.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = databases(CONFIG)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES: dict[str, dict[str, Any]] = caches(CONFIG.stores.redis)
CHANNEL_LAYERS: dict[str, dict[str, Any]] = channel_layers(CONFIG.pubsub.channel_layer)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["api.rendering.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsing.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "api.documentation.Schema",
    "EXCEPTION_HANDLER": "api.errors.handle",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.auth.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["api.auth.MayRead"],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.TokenBucketThrottle"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "swapstats",
    "DESCRIPTION": "Exact, real-time statistics of DEX swaps.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
}
SIMPLE_JWT: dict[str, Any] = simple_jwt(CONFIG.security.jwt)

CORS_ALLOWED_ORIGINS = list(CONFIG.api.http.cors_origins)
CORS_URLS_REGEX = r"^/api/.*$"
CORS_EXPOSE_HEADERS = [
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"),
    *("ETag", "X-Request-ID"),
]

DATA_UPLOAD_MAX_MEMORY_SIZE = 65_536
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_HTTPONLY = True

STATIC_URL = "static/"
STATICFILES_DIRS = [("swapstats-client", PROJECT_DIR / "clients" / "js")]
STATIC_ROOT = PROJECT_DIR / "staticfiles"

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = logging_config(CONFIG)
