"""Who is asking: a bearer token, or a person that is logged in with a session."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.errors import ApiError
from settings.config import load_config
from swapstats.bootstrap import token_verifier
from swapstats.domain.errors import TokenExpired, TokenRefused
from swapstats.ports.token_verifier import Caller

REALM = 'Bearer realm="swapstats"'


class ApiUser:
    """The holder of a token; not one of Django's users, so that a request needs no database."""

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False

    def __init__(self, caller: Caller) -> None:
        self.username = caller.subject

    def __str__(self) -> str:
        return self.username


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <JWT>`. Looked at only where tokens are asked for."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not load_config().security.jwt.enabled:
            return None
        try:
            caller = token_verifier().verify(token.strip())
        except TokenRefused as error:
            raise _refusal(error) from error
        return ApiUser(caller), caller

    def authenticate_header(self, request: Request) -> str:
        return REALM


class MayRead(BasePermission):
    """Everybody where tokens are not asked for; else whoever is known."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return not load_config().security.jwt.enabled or bool(request.user and request.user.is_authenticated)


def caller_of(request: Request) -> Caller | None:
    """Whoever asks, where that is known."""
    if isinstance(request.auth, Caller):
        return request.auth
    user = request.user
    if not user or not user.is_authenticated:
        return None
    return Caller(f"user:{user.pk}", int(request.session.get_expiry_date().timestamp()))


def _refusal(error: TokenRefused) -> ApiError:
    code = "token_expired" if isinstance(error, TokenExpired) else "bad_token"
    text = f"{str(error)[:1].upper()}{str(error)[1:]}."
    return ApiError(401, code, text, {"WWW-Authenticate": f'{REALM}, error="invalid_token"'})
