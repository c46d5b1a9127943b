"""A random secret that one machine makes for itself and keeps."""

import contextlib
import os
import secrets
from pathlib import Path


def own_secret(path: Path) -> str:
    """The secret in `path`, made on first use, readable by its owner only; processes that race agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()
