"""HTTP alone, for WSGI workers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")

django = get_wsgi_application()

from api.checks import refuse_unsafe_start  # noqa: E402 - needs Django's settings
from api.direct.wsgi import DirectWsgi  # noqa: E402
from settings.config import load_config  # noqa: E402
from swapstats.bootstrap import view_feed  # noqa: E402
from swapstats.garbage import spare_the_collector  # noqa: E402
from swapstats.operations import operate_web  # noqa: E402

refuse_unsafe_start()
operate_web(load_config())
view_feed()
spare_the_collector()
application = DirectWsgi(django)
