"""What all groups of keys share: strictness, and secrets that come from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A group of keys. Unknown ones are refused; ``<secret>_file`` fills ``<secret>`` from that file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def secrets(cls) -> list[str]:
        return [name for name in cls.model_fields if f"{name}_file" in cls.model_fields]

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        read = {name: _secret(data, name) for name in cls.secrets() if data.get(f"{name}_file")}
        return {**data, **read}


def _secret(data: Mapping[str, Any], name: str) -> str:
    if data.get(name):
        raise ValueError(f"expected one of {name} and {name}_file, not both")
    try:
        return Path(data[f"{name}_file"]).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file: expected a readable text file ({error})") from error
