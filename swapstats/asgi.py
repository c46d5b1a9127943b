"""HTTP and WebSocket in one ASGI application."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

django = get_asgi_application()

from api.checks import refuse_unsafe_start  # noqa: E402 - needs Django's settings
from api.direct.asgi import DirectAsgi  # noqa: E402
from api.limits import BoundedBody  # noqa: E402
from realtime.routing import websocket_application  # noqa: E402
from settings.config import load_config  # noqa: E402
from swapstats.bootstrap import view_feed, websocket_service  # noqa: E402
from swapstats.operations import operate_web  # noqa: E402

refuse_unsafe_start()
operate_web(load_config())
view_feed()
application = ProtocolTypeRouter(
    {"http": DirectAsgi(BoundedBody(django)), "websocket": websocket_application(websocket_service)}
)
