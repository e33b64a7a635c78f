"""Read settings, and ask for the secrets that no other source has."""

from typing import Annotated, Any

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from secretly.settings import From, with_secretly


class Database(BaseModel):
    host: str = "localhost"
    password: SecretStr


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GREETER_", env_nested_delimiter="__")

    database: Database
    api_token: Annotated[SecretStr, From("Example")]

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], **sources: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return with_secretly(settings_cls, **sources, prefix="greeter/", description="to greet")


settings = Settings()
print(settings)
