"""Requests that are too large are told so; what is as large as may be passes."""

from typing import Any

import pytest
from django.test import Client

from api.limits import MAX_BODY, MAX_HEADERS, MAX_PATH, MAX_QUERY, BoundedBody
from tests.parts.api_site import problem
from tests.parts.tokens import bearer

TOKEN = "/api/auth/token"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, headers=bearer())


def test_bodies(client: Client) -> None:
    for size, status in ((MAX_BODY, 400), (MAX_BODY + 1, 413), (10**7, 413)):
        response = client.post(TOKEN, b"[" * size, "application/json")
        assert response.status_code == status
    problem(response, 413, "body_too_large")


@pytest.mark.parametrize("body", [b"", b"[", b"\xff", b'{"a":1e999999}', b"[" * 60_000, b'"\\ud800"', b"nul"])
def test_bodies_that_are_no_json(client: Client, body: bytes) -> None:
    assert client.post(TOKEN, body, "application/json").status_code in (400, 401)


def test_a_length_that_is_only_claimed(client: Client) -> None:
    response = client.post(TOKEN, b"{}", "application/json", CONTENT_LENGTH=str(10**30))
    problem(response, 413, "body_too_large")


def test_addresses(client: Client) -> None:
    assert client.get(f"/api/tokens/stats?ids={'x' * (MAX_QUERY - 10)}").status_code != 414
    problem(client.get(f"/api/tokens/stats?ids={'x' * MAX_QUERY}"), 414, "address_too_long")
    problem(client.get(f"/api/tokens/{'x' * 300}/stats"), 503, "not_ready")
    problem(client.get(f"/api/tokens/{'x' * MAX_PATH}/stats"), 414, "address_too_long")


def test_headers(client: Client) -> None:
    problem(client.get("/api/tokens", headers={"X-Odd": "x" * MAX_HEADERS}), 431, "headers_too_large")
    many = {f"X-Odd-{number}": "x" * 100 for number in range(MAX_HEADERS // 100)}
    problem(client.get("/api/tokens", headers=many), 431, "headers_too_large")
    assert client.get("/healthz", headers={"X-Odd": "x" * (MAX_HEADERS // 2)}).status_code == 200


@pytest.mark.parametrize(("chunks", "status"), [(64, 200), (65, 413), (100_000, 413)])
async def test_bodies_of_no_told_length(chunks: int, status: int) -> None:
    """Over ASGI: no more than allowed is ever taken in."""
    taken = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": bytes(1_024), "more_body": taken < chunks}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    await BoundedBody(application)({"type": "http"}, receive, send)
    assert sent[0]["status"] == status
    assert taken <= 65
