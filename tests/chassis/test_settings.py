import json

import pytest
from pydantic import ValidationError

from chassis.logins import Login
from sample.main import Settings

URL = "postgresql://sample:secret@localhost/sample"


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    monkeypatch.setenv("SAMPLE_DATABASE_URL", URL)


def test_a_service_reads_its_own_prefix(monkeypatch):
    monkeypatch.setenv("SAMPLE_PORT", "8123")
    monkeypatch.setenv("OTHER_HOST", "elsewhere")

    settings = Settings()

    assert (settings.port, settings.host) == (8123, "127.0.0.1")
    assert settings.database_url.get_secret_value() == URL


def test_what_all_share_is_said_once_and_may_differ_for_one(monkeypatch):
    monkeypatch.setenv("ORDERLY_LOG_FORMAT", "console")
    monkeypatch.setenv("ORDERLY_LOG_LEVEL", "debug")
    monkeypatch.setenv("SAMPLE_LOG_LEVEL", "error")

    settings = Settings()

    assert (settings.log_format, settings.log_level) == ("console", "error")


def test_issuers_are_a_list(monkeypatch):
    issuer = {"issuer": "i", "jwks_url": "https://i/jwks", "audience": "orderly"}
    monkeypatch.setenv("ORDERLY_ISSUERS", json.dumps([issuer]))

    (read,) = Settings().issuers

    assert read.model_dump(exclude_defaults=True) == issuer


def test_an_issuer_must_name_whom_its_tokens_are_for(monkeypatch):
    issuer = {"issuer": "i", "jwks_url": "https://i/jwks"}
    monkeypatch.setenv("ORDERLY_ISSUERS", json.dumps([issuer]))

    with pytest.raises(ValidationError, match="audience"):
        Settings()


def test_the_region_is_that_of_aws(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    assert Settings().aws_region == "eu-central-1"


def test_passwords_are_not_shown(monkeypatch):
    assert "secret" not in repr(Settings())

    monkeypatch.setenv("SAMPLE_PORT", "no port")
    monkeypatch.setenv("SAMPLE_ROLES", "secret")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "secret" not in str(refused.value)


def test_a_missing_setting_shows_none_of_the_others(monkeypatch):
    monkeypatch.delenv("SAMPLE_DATABASE_URL")
    monkeypatch.setenv("SAMPLE_HOST", "secret")

    with pytest.raises(ValidationError, match="database_url") as refused:
        Settings()

    assert "secret" not in str(refused.value)


def test_every_setting_is_described():
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_login_by_iam_is_for_the_region_and_checks_who_answers(monkeypatch, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.touch()
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("ORDERLY_DATABASE_LOGIN", "iam")
    monkeypatch.setenv("ORDERLY_DATABASE_CA", str(ca))

    assert Settings().login == Login(by_iam=True, ca=ca, region="eu-central-1")


def test_an_administrator_is_what_rds_writes_into_its_secret(monkeypatch):
    monkeypatch.setenv(
        "SAMPLE_DATABASE_ADMIN", '{"username": "postgres", "password": "it is secret"}'
    )

    settings = Settings()

    assert settings.database_admin
    assert settings.database_admin.password.get_secret_value() == "it is secret"
    assert "it is secret" not in repr(settings)
