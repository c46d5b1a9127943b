"""Problems outside of the API's own views."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import problem_response
from api.views.base import ApiView


class NoSuchAddressView(ApiView):
    """Answers for what is below /api/ and not there, whatever the method; whom it is refused to needs no token."""

    schema = None
    permission_classes = ()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404

    def get(self, request: Request, anything: str) -> Response:
        raise Http404


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(request, 400, "malformed_body", "The request cannot be understood.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if "text/html" in request.headers.get("Accept", ""):
        return defaults.page_not_found(request, exception)
    return problem_response(request, 404, "not_found", "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "The request failed for a reason on our side, which is in our log."
    return problem_response(request, 500, "internal_error", detail)
