"""Tokens as clients name them."""

from api.errors import token_not_found
from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.domain.swap import parse_token_id

MAX_REFERENCE = 256


def find(view: LiveView, reference: str) -> TokenView:
    """The token with this identity, or the one that people mean by this symbol. Raises ApiError, ViewNotReady."""
    view.require_loaded()
    if len(reference) > MAX_REFERENCE:
        raise token_not_found(reference)
    identity = parse_token_id(reference)
    token = view.token(identity) if identity else view.symbols.resolve(reference)
    if token is None:
        raise token_not_found(reference)
    return token
