"""Secrets for pydantic-settings: what no other source has, secretly looks up, or asks you for.

It needs pydantic-settings 2.4 or later: ``pip install 'secretly[settings]'``.

>>> from pydantic import SecretStr
>>> from pydantic_settings import BaseSettings
>>> from secretly.settings import with_secretly
>>> class Settings(BaseSettings):
...     api_token: SecretStr
...     @classmethod
...     def settings_customise_sources(cls, settings_cls, **sources):
...         return with_secretly(settings_cls, **sources)
>>> from secretly.testing import FakePinentry, sandbox
>>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
...     Settings()
Settings(api_token=SecretStr('**********'))

.. versionadded:: 1.1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from . import api
from .errors import Refused
from .redacted import Secret
from .waiting import own_loop

try:
    from pydantic import AliasChoices, AliasPath, BaseModel, SecretBytes, SecretStr
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
except ImportError as error:
    raise ImportError(
        f"secretly.settings needs pydantic-settings: pip install 'secretly[settings]' ({error})"
    ) from error

__all__ = ["From", "SecretlySource", "with_secretly"]

#: The types of the fields that are secrets.
_SECRETS = (Secret, SecretStr, SecretBytes)

#: Where a value goes: the keys of nested models, and the field's own.
_Path = tuple[str, ...]


class From(NamedTuple):
    """The reference of a field's secret: ``token: Annotated[SecretStr, From("PyPI")]``.

    A field of any type may have one, and a field with a default too: secretly asks for both.

    :param reference: as for :func:`secretly.secret`.

    >>> from secretly.settings import From
    >>> From("op://Work/PyPI/password").reference
    'op://Work/PyPI/password'

    .. versionadded:: 1.1
    """

    reference: str


class SecretlySource(PydanticBaseSettingsSource):
    """A source of settings that looks up secrets, and else asks the user: the last resort.

    It provides the secrets that the sources before it don't have: fields with :class:`From`, and
    fields without a default whose type is ``SecretStr``, ``SecretBytes`` or
    :class:`secretly.Secret`, in nested models as well. The name of a field's secret is *prefix* and
    the field's name; a nested field has the names of all fields above it: ``database/password``.

    :param settings_cls: the class of the settings.
    :param prefix: the beginning of each name.
    :param description: what the secrets are for, which the prompts show.
    :param remember: whether to store what the user typed, as for :func:`secretly.secret`.
    :param confirm: whether the user confirms the use of stored secrets.
    :param timeout: how long it may take to get them all, in seconds or as a timedelta.
    :raises SecretlyError: when the settings are made: as for :func:`secretly.secret_sync`, and if
        another source has an empty secret.

    >>> from pydantic import SecretStr
    >>> from pydantic_settings import BaseSettings
    >>> from secretly.settings import SecretlySource
    >>> class Settings(BaseSettings):
    ...     token: SecretStr
    >>> from secretly.testing import FakePinentry, sandbox
    >>> with FakePinentry(["canary-1"]) as pinentry, sandbox(pinentry):
    ...     SecretlySource(Settings, prefix="greeter/")()
    {'token': Secret('…')}

    .. versionadded:: 1.1
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        *,
        prefix: str = "",
        description: str | None = None,
        remember: api.Remember = None,
        confirm: bool | None = None,
        timeout: api.Timeout = None,
    ) -> None:
        super().__init__(settings_cls)
        self._prefix = prefix
        self._options = api.CallOptions(
            description=description, remember=remember, confirm=confirm, timeout=timeout
        )

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Provide nothing: the secrets of all fields are asked for together."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        references = dict(_missing(self.settings_cls, self.current_state, (), self._prefix))
        if not references:
            return {}
        name = self.settings_cls.__name__
        own_loop.refuse_in_loop(
            f"{name}()",
            f"make the settings before the event loop runs, or: await asyncio.to_thread({name})",
        )
        limit = api.time_limit(self._options.timeout)
        secrets = own_loop.run_blocking(lambda: api.secrets(references, self._options), limit)
        return _nested(secrets)


def with_secretly(
    settings_cls: type[BaseSettings],
    init_settings: PydanticBaseSettingsSource,
    env_settings: PydanticBaseSettingsSource,
    dotenv_settings: PydanticBaseSettingsSource,
    file_secret_settings: PydanticBaseSettingsSource,
    **options: Any,
) -> tuple[PydanticBaseSettingsSource, ...]:
    """Return pydantic's own sources, and secretly after them.

    :param settings_cls: what ``settings_customise_sources`` gets; so are the next four.
    :param init_settings: the arguments of the call.
    :param env_settings: the environment.
    :param dotenv_settings: the ``.env`` file.
    :param file_secret_settings: the folder of secrets.
    :param options: the parameters of :class:`SecretlySource`, such as *prefix*.

    .. versionadded:: 1.1
    """
    source = SecretlySource(settings_cls, **options)
    return init_settings, env_settings, dotenv_settings, file_secret_settings, source


def _missing(
    model: type[BaseModel], values: Mapping[str, Any], path: _Path, prefix: str
) -> Iterator[tuple[_Path, str]]:
    """Yield where a secret is missing among *values*, and its reference."""
    for name, field in model.model_fields.items():
        keys = [*_aliases(field), name]
        if keys == [name] and _has_paths(field) and not _by_name(model):
            continue  # nothing that we provide would be found
        found = next((values[key] for key in keys if key in values), None)
        place, parts = (*path, keys[0]), f"{prefix}{name}"
        given = next((one for one in field.metadata if isinstance(one, From)), None)
        inner = next((k for k in _kinds(field.annotation) if issubclass(k, BaseModel)), None)
        if given is not None or _is_secret(field):
            if found is None:
                yield place, given.reference if given else parts
            elif _is_empty(found):  # an earlier source's value would win over ours
                raise Refused(
                    f"the secret {'.'.join(place)} is empty",
                    "leave it out: unset its variable, or set env_ignore_empty=True",
                )
        elif inner is not None and (isinstance(found, dict) or _is_needed(found, field)):
            yield from _missing(inner, found or {}, place, f"{parts}/")


def _is_needed(found: object, field: FieldInfo) -> bool:
    return found is None and field.is_required()


def _is_secret(field: FieldInfo) -> bool:
    kinds = _kinds(field.annotation)
    return field.is_required() and any(issubclass(kind, _SECRETS) for kind in kinds)


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the classes that an annotation allows: several for a union.

    A list of secrets is none of these: one secret can't be its value.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and origin is None:
        yield annotation
    elif origin in (Annotated, Union, UnionType):
        for part in parts[:1] if origin is Annotated else parts:
            yield from _kinds(part)


def _is_empty(found: object) -> bool:
    """Whether an earlier source has an empty secret."""
    if isinstance(found, (SecretStr, SecretBytes)):
        return not found.get_secret_value()
    return isinstance(found, (str, bytes)) and not found


def _aliases(field: FieldInfo) -> list[str]:
    """The names that the field has in the data, besides its own."""
    alias = field.validation_alias or field.alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [choice for choice in choices if isinstance(choice, str)]


def _has_paths(field: FieldInfo) -> bool:
    """Whether the field may be a part of other data."""
    return isinstance(field.validation_alias, (AliasChoices, AliasPath))


def _by_name(model: type[BaseModel]) -> bool:
    """Whether a field with an alias is found by its own name as well."""
    config: Mapping[str, Any] = model.model_config
    return bool(config.get("populate_by_name") or config.get("validate_by_name"))


def _nested(secrets: Mapping[_Path, Secret]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, secret in secrets.items():
        inner = nested
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = secret
    return nested
