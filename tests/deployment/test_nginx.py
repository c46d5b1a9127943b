"""The real nginx with our configuration, in front of a real web process."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.sync.client import connect

from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from tests.parts.missing import skip_or_fail

DIRECTORY = PROJECT_DIR / "docker" / "nginx"


class Front:
    """nginx with one of our configurations: the paths of a container become those of this test."""

    def __init__(self, name: str, directory: Path, behind: int) -> None:
        self.plain, self.secure = free_port(), free_port()
        text = (DIRECTORY / f"nginx.{name}.conf").read_text()
        changes = {
            r"/etc/nginx/swapstats/(http|site).conf": rf"{directory}/\1.conf",
            r"/etc/nginx/swapstats/": f"{DIRECTORY}/",
            r"/run/secrets/": f"{directory}/",
            r"\b(wsgi|asgi):8080": f"127.0.0.1:{behind}",
            r"listen 8080": f"listen 127.0.0.1:{self.plain}",
            r"listen 8443": f"listen 127.0.0.1:{self.secure}",
            r"/var/cache/nginx/": f"{directory}/",
        }
        for pattern, value in changes.items():
            text = re.sub(pattern, value, text)
        site = (DIRECTORY / "site.conf").read_text()
        (directory / "site.conf").write_text(site.replace("/etc/nginx/swapstats/", f"{DIRECTORY}/"))
        shared = (DIRECTORY / "http.conf").read_text().replace("/dev/stdout", str(directory / "access.log"))
        (directory / "http.conf").write_text(shared)
        self.file = directory / "nginx.conf"
        self.file.write_text(text)
        self.log = directory / "access.log"

    def command(self, *words: str) -> list[str]:
        return ["nginx", "-c", str(self.file), *words]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "SWAPSTATS_EMBEDDED__DATA_DIR": str(tmp_path_factory.mktemp("web")),
        "SWAPSTATS_API__HTTP__ADDR": f"127.0.0.1:{port}",
        "SWAPSTATS_SECURITY__JWT__ENABLED": "false",
        "SWAPSTATS_STORES__REDIS__URL": f"redis://127.0.0.1:{free_port()}/0",
        "SWAPSTATS_METRICS__PPROF": "null",
    }
    with ChildProcess("web", [sys.executable, "manage.py", "serve"], env=environment, cwd=PROJECT_DIR) as server:
        server.wait_until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), 60, "answer")
        yield port


def _trusting() -> ssl.SSLContext:
    """The certificate is made for the test, so nobody vouches for it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, verify=_trusting(), timeout=5).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture(params=["dev", "prod"])
def front(request, tmp_path: Path, web: int) -> Iterator[Front]:
    if shutil.which("nginx") is None:
        skip_or_fail("no nginx: apt-get install nginx-light")
    _make_certificate(tmp_path)
    front = Front(request.param, tmp_path, web)
    checked = subprocess.run(front.command("-t"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    front.name = request.param
    front.base = f"https://127.0.0.1:{front.secure}" if request.param == "prod" else f"http://127.0.0.1:{front.plain}"
    with ChildProcess("nginx", front.command("-g", "daemon off;")) as nginx:
        nginx.wait_until(lambda: _answers(f"{front.base}/healthz"), 20, "answer")
        yield front


def _make_certificate(directory: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "swaps.example.org")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    (directory / "tls_certificate").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (directory / "tls_key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def get(front: Front, path: str, **more: object) -> httpx.Response:
    return httpx.get(f"{front.base}{path}", verify=_trusting(), timeout=10, **more)


def test_requests_reach_the_application(front):
    answer = get(front, "/healthz")
    assert answer.json() == {"status": "ok"}
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_metrics_stay_inside(front):
    assert get(front, "/metrics").status_code == 404


def test_websockets_reach_the_application(front):
    more = {"ssl": _trusting()} if front.base.startswith("https") else {}
    with connect(f"{front.base.replace('http', 'ws', 1)}/ws", **more) as client:
        assert '"welcome"' in client.recv(10)


def test_what_is_asked_is_logged_without_its_query(front):
    get(front, "/healthz?ticket=secret-ticket")
    lines = front.log.read_text()
    assert '"path":"/healthz"' in lines
    assert "secret-ticket" not in lines


def test_a_client_cannot_choose_its_request_id(front):
    assert get(front, "/healthz", headers={"X-Request-ID": "mine"}).headers["x-request-id"] != "mine"


def test_production_sends_everybody_to_tls_with_forward_secrecy(front):
    if front.name == "dev":
        pytest.skip("development has no TLS")
    answer = httpx.get(f"http://127.0.0.1:{front.plain}/api/tokens?x=1", headers={"Host": "swaps.example.org"})
    assert (answer.status_code, answer.headers["location"]) == (308, "https://swaps.example.org/api/tokens?x=1")
    old = _trusting()
    old.set_ciphers("AES128-SHA256")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{front.base}/healthz", verify=old)
