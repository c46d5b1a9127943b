"""What every address of the API has in common."""

from collections.abc import Sequence

from rest_framework.permissions import BasePermission

from api.auth import AUTHENTICATION, MayRead
from api.throttling import RateLimited


class ApiView(RateLimited):
    """Known callers, within their limits."""

    authentication_classes = AUTHENTICATION
    permission_classes: Sequence[type[BasePermission]] = (MayRead,)
