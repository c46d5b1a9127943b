"""Tokens for Django's users, and tickets for browsers' WebSockets."""

import time
from typing import Any

from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer

from api import documentation
from api.auth import caller_of
from api.errors import ApiError
from api.guessing import ANSWER, WAIT_SECONDS, is_guessing
from api.views.base import ApiView
from swapstats.bootstrap import ticket_store
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.token_verifier import Caller

TICKET_SECONDS = 30
NO_STORE = {"Cache-Control": "no-store"}


class _Open(ApiView):
    """Needs no token, for it gives one."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not settings.SIMPLE_JWT["SIGNING_KEY"]:
            raise ApiError(404, "not_found", "This system does not issue tokens; another one does.")


class TokenView(_Open):
    """A user name and a password for an access token and a refresh token."""

    @documentation.token
    def post(self, request: Request) -> Response:
        serializer = TokenObtainPairSerializer(data=request.data, context={"request": request})
        name = request.data.get("username") if isinstance(request.data, dict) else None
        if is_guessing(request._request, str(name or "")):
            raise ApiError(429, "rate_limited", ANSWER, {"Retry-After": str(WAIT_SECONDS)})
        try:
            serializer.is_valid(raise_exception=True)
        except AuthenticationFailed as error:
            raise ApiError(401, "not_authenticated", "User name and password do not belong together.") from error
        return Response(serializer.validated_data, headers=NO_STORE)


class RefreshView(_Open):
    """A refresh token for new ones; it is good for one use."""

    @documentation.refresh
    def post(self, request: Request) -> Response:
        serializer = TokenRefreshSerializer(data=request.data)
        try:
            serializer.is_valid(raise_exception=True)
        except (TokenError, AuthenticationFailed) as error:
            code = "token_expired" if "expired" in str(error) else "bad_token"
            raise ApiError(401, code, "The refresh token is not valid, or not any more.") from error
        return Response(serializer.validated_data, headers=NO_STORE)


class TicketView(ApiView):
    """A ticket to open one WebSocket with, for browsers, which cannot send a header there."""

    @documentation.ticket
    def post(self, request: Request) -> Response:
        caller = caller_of(request) or Caller("", int(time.time()) + TICKET_SECONDS)
        try:
            ticket = ticket_store().issue(caller, TICKET_SECONDS)
        except StoreUnavailable as error:
            raise ApiError(503, "not_ready", "Tickets cannot be issued now.", {"Retry-After": "1"}) from error
        return Response({"ticket": ticket, "expires_in": TICKET_SECONDS}, headers=NO_STORE)
