"""What every address of the API has in common."""

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.auth import caller_of
from api.compression import compress
from api.throttling import limit_headers, who_asks
from swapstats.bootstrap import refusals


class ApiView(APIView):
    """Counts a request before anything else is looked at but who sends it, so that refused tokens count as well. Every
    answer says what is left. REST_FRAMEWORK's defaults say who is let in, and how much."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        refused = self._authenticate(request)
        super().check_throttles(request)
        if refused:
            raise refused
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """That was done first."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        verdict = getattr(request, "rate_verdict", None)
        if verdict:
            for name, value in limit_headers(verdict):
                response.headers[name] = value
        if response.status_code in (401, 429):
            who = who_asks(caller_of(request), request.META)
            refusals().note(who, response.data["code"])
        final = super().finalize_response(request, response, *args, **kwargs)
        final.add_post_render_callback(lambda rendered: compress(request, rendered))
        return final

    def _authenticate(self, request: Request) -> APIException | None:
        try:
            self.perform_authentication(request)
        except APIException as error:
            return error
        return None
