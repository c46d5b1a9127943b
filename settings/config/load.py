"""One configuration from defaults, the YAML file and the environment; the later of them wins."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from settings.config.ingest import App, Ingest
from settings.config.operations import Alerts, Log, Metrics
from settings.config.section import Section
from settings.config.serving import Api, RateLimit, Security
from settings.config.stores import Database, Embedded, PubSub, Stores
from settings.config.values import EmptyIsSaid
from swapstats.domain.errors import ConfigError

PREFIX = "SWAPSTATS_"
FILE_VARIABLE = f"{PREFIX}CONFIG"


class Config(BaseSettings):
    """Everything that can be configured. Arguments win over the environment, the environment over the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_parse_none_str="null",
        extra="forbid",
        frozen=True,
    )

    ingest: Ingest = Ingest()
    app: App = App()
    stores: Stores = Stores()
    pubsub: PubSub = PubSub()
    security: Security = Security()
    rate_limit: RateLimit = RateLimit()
    api: Api = Api()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    database: Database = Database()
    embedded: Embedded = Embedded()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        from_file = InitSettingsSource(settings_cls, _read_file(os.environ.get(FILE_VARIABLE)))
        return init_settings, _Environment(settings_cls), from_file


@cache
def load_config() -> Config:
    """The configuration of this process, read once.

    Raises:
        ConfigError: naming every wrong key and what was expected there.
    """
    _refuse_unknown_variables(os.environ)
    try:
        return Config()
    except ValidationError as error:
        raise ConfigError("\n".join(sorted(map(_explain, error.errors())))) from None


class _Environment(EnvSettingsSource):
    """Empty variables are ignored, as compose files pass them for what nobody set, unless empty says something."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        may_be_empty = {variable(key).lower() for key in _keys_that_may_be_empty(Config)}
        said = {name.lower(): "" for name, value in os.environ.items() if not value and name.lower() in may_be_empty}
        return {**super()._load_env_vars(), **said}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leaves text that is not JSON as it is, so that validation refuses it by the key's full name."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _keys_that_may_be_empty(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if any(isinstance(mark, EmptyIsSaid) for mark in field.metadata):
            yield prefix + name
        for section in sections_in(field):
            yield from _keys_that_may_be_empty(section, f"{prefix}{name}.")


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """A misspelt group would otherwise go unnoticed; within a group validation sees it."""
    for name in environ:
        group, nested, _ = name.removeprefix(PREFIX).partition("__")
        if name.startswith(PREFIX) and nested and group.lower() not in Config.model_fields:
            known = ", ".join(Config.model_fields)
            raise ConfigError(f"{name}: unknown key; expected a name below one of {known}")


def _read_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{FILE_VARIABLE}: expected a readable YAML file ({error})") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"{FILE_VARIABLE}: expected a YAML mapping of keys in {path}")
    _refuse_secrets(content or {})
    return content or {}


def _refuse_secrets(content: dict[str, Any]) -> None:
    secrets = set(secret_paths(Config))
    for key, value in _leaves(content):
        if value is not None and key in secrets:
            raise ConfigError(f"{key}: expected the secret in {variable(key)} or {key}_file, not in the file")
        if _holds_password(key, value):
            raise ConfigError(f"{key}: expected a value with a password in {variable(key)}, not in the file")


def _holds_password(key: str, value: object) -> bool:
    if key.startswith("ingest.client."):
        return key.endswith(("password", "secret"))
    return isinstance(value, str) and "://" in value and bool(urlsplit(value).password)


def secret_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all secrets below `model`."""
    for name, field in model.model_fields.items():
        for section in sections_in(field):
            yield from secret_paths(section, f"{prefix}{name}.")
    if issubclass(model, Section):
        yield from (prefix + name for name in model.secrets())


def sections_in(field: FieldInfo) -> list[type[Section]]:
    """The section a field holds, be it optional, or nothing."""
    candidates = getattr(field.annotation, "__args__", (field.annotation,))
    return [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Section)]


def variable(key: str) -> str:
    """The environment variable that overrides the dotted `key`."""
    return PREFIX + key.upper().replace(".", "__")


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_EXPECTED = {
    "extra_forbidden": "unknown key; expected one that docs/configuration.md names",
    "missing": "expected a value, for there is no default",
    "tuple_type": "expected a list (in the environment a JSON one)",
    "model_type": "expected a mapping (in the environment a JSON object)",
    "dict_type": "expected a mapping (in the environment a JSON object)",
    "too_short": "expected at least one item",
}


def _explain(error: ErrorDetails) -> str:
    """One line: the dotted key, and what was expected. The value may be a secret and is not repeated."""
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
    return f"{_dotted(error['loc'])}: {_EXPECTED.get(error['type'], message)}"


def _dotted(location: Sequence[int | str]) -> str:
    """The key as the file spells it; pydantic names a wrong default by its attribute instead."""
    *parents, last = (str(part) for part in location)
    spelt_with_ms = {"coalesce_ms", "retention_ms", "segment_ms"}
    return ".".join([*parents, last if last in spelt_with_ms else last.removesuffix("_ms")])
