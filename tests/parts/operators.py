"""Who works in the admin, and what is seen there."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def client_of(*permissions: str) -> Client:
    """Someone who works here and may do so much."""
    user = User.objects.create_user(f"op-{'-'.join(permissions) or 'none'}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content[-2000:]
    text: str = response.content.decode()
    assert "<script>" not in text
    assert " style=" not in text
    return text
