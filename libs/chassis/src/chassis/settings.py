"""What every service is configured with. Only a service's `main` reads it."""

from typing import ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    FilePath,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from chassis.logins import Login
from chassis.ownership import Administrator


class Issuer(BaseModel, frozen=True, extra="forbid"):
    """Somebody whose tokens are accepted."""

    issuer: str = Field(description="the `iss` claim, exactly")
    jwks_url: str = Field(description="where its public keys are")
    audience: str | None = Field(
        default=None, description="the `aud` claim a token must carry"
    )
    client_ids: tuple[str, ...] = Field(
        default=(), description="accepted `client_id`s, for issuers that set no `aud`"
    )

    @model_validator(mode="after")
    def _says_whom_its_tokens_are_for(self) -> Self:
        if self.audience is None and not self.client_ids:
            raise ValueError("an issuer needs an audience or client_ids")
        return self


class ServiceSettings(BaseSettings):
    """Read from the environment under the service's own prefix.

    What is the same for all services can be said once, under `ORDERLY_`.
    """

    SHARED_PREFIX: ClassVar[str] = "ORDERLY_"
    # What is wrong is said without what was read: there are passwords in it.
    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, description="port to listen on")
    roles: Literal["all", "api", "consumer"] = Field(
        default="all", description="what this process does besides relaying"
    )

    database_url: SecretStr = Field(description="postgresql://user:password@host/name")
    database_reader_url: SecretStr | None = Field(
        default=None,
        description="where lists may be read, a little late; as database_url",
    )
    database_login: Literal["password", "iam"] = Field(
        default="password",
        description="the URL's password, or an IAM token made for each connection",
    )
    database_ca: FilePath | None = Field(
        default=None,
        description="PEM file of who may vouch for the database; with `iam` the"
        " certificates of RDS are known, and TLS is always verified",
    )
    database_admin: Administrator | None = Field(
        default=None,
        description="JSON of {username, password}: `migrate` makes role and database"
        " with it where the service cannot get in yet",
    )
    database_pool_size: PositiveInt = Field(
        default=8, description="connections at most, opened when needed"
    )
    database_connect_timeout_s: PositiveFloat = Field(
        default=45, description="outlasts a paused database waking up"
    )

    aws_region: str = Field(
        default="us-east-1",
        validation_alias="AWS_REGION",
        description="where the topics and queues are; AWS's own variable",
    )
    aws_account_id: str = Field(
        default="000000000000", description="whose topics and queues are used"
    )

    issuers: tuple[Issuer, ...] = Field(
        default=(),
        description="JSON list of {issuer, jwks_url, audience|client_ids}; the first"
        " stays the first, as order ids are made of its plain client ids",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="JSON list of origins that browsers may call from"
    )

    log_format: Literal["json", "console"] = Field(
        default="json", description="a JSON object or a coloured sentence per line"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is less than that is not logged"
    )
    access_log: Literal["all", "failures", "none"] = Field(
        default="failures",
        description="which requests get a log line; health checks never do",
    )

    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="where traces and metrics go, by OTLP over HTTP;"
        " OpenTelemetry's own variable, as the next two and all others of OTLP are",
    )
    otlp_traces_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        description="where traces go; X-Ray's is signed for as AWS asks",
    )
    otlp_metrics_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        description="where metrics go",
    )
    trace_sampling: float = Field(
        default=1,
        ge=0,
        le=1,
        description="the share of the traces begun here that is recorded; for others,"
        " whoever began them has decided",
    )
    metrics: Literal["none", "emf"] = Field(
        default="none",
        description="`emf`: log lines that CloudWatch reads metrics from, one a minute",
    )

    drain_s: float = Field(
        default=0,
        description="after SIGTERM, how long to serve on while the balancer turns away",
    )
    leaves_within_s: PositiveFloat = Field(
        default=16,
        description="after SIGTERM, when to leave undone what is not finished; closing"
        " takes 2 s more, and then whoever runs us kills",
    )

    @property
    def exports_traces(self) -> bool:
        return bool(self.otlp_endpoint or self.otlp_traces_endpoint)

    @property
    def exports_metrics(self) -> bool:
        return bool(self.otlp_endpoint or self.otlp_metrics_endpoint)

    @property
    def exports(self) -> bool:
        return self.exports_traces or self.measures

    @property
    def measures(self) -> bool:
        return self.exports_metrics or self.metrics != "none"

    @property
    def login(self) -> Login:
        return Login(
            by_iam=self.database_login == "iam",
            ca=self.database_ca,
            region=self.aws_region,
        )

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        shared = EnvSettingsSource(settings_cls, env_prefix=cls.SHARED_PREFIX)
        return (init_settings, env_settings, shared)
