"""What is in an image, and what is not."""

import pytest

from tests.compose.conftest import Compose

pytestmark = pytest.mark.timeout(900)  # building them for the first time takes a while

PACKAGES = "/opt/venv/lib/python3.13/site-packages/"
OURS = {"accounting", "chassis", "contracts", "inventory", "orderly", "orders"}


@pytest.mark.parametrize("service", ["orders", "inventory", "accounting"])
async def test_an_image_holds_its_service_and_nothing_more(images: Compose, service):
    found = await images.docker(
        *("run", "--rm", "--entrypoint=find", f"orderly-{service}:test"),
        *("/opt", "/usr", "-not", "-type", "d"),
    )
    files = set(found.splitlines())

    packages = {file.split("/")[6] for file in files if file.startswith(PACKAGES)}
    assert packages & {*OURS, "tests", "pytest", "pip"} == {
        "chassis",
        "contracts",
        service,
    }
    assert f"{PACKAGES}{service}/migrations/env.py" in files
    assert f"{PACKAGES}{service}/__pycache__/main.cpython-313.pyc" in files
    programs = {file.rsplit("/", 1)[1] for file in files if "bin/" in file}
    assert programs & {"cc", "gcc", "git", "ld", "make", "pip", "pip3", "uv"} == set()


@pytest.mark.parametrize("service", ["orders", "inventory", "accounting"])
async def test_an_image_says_how_it_is_run(images: Compose, service):
    config = (await images.inspect(f"orderly-{service}:test"))["Config"]

    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Cmd"] == ["python", "-m", service]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "chassis.alive"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"Orderly {service}"


async def test_the_command_ends_as_by_ctrl_c(images: Compose):
    config = (await images.inspect("orderly-orderly:test"))["Config"]

    assert config["StopSignal"] == "SIGINT"


async def test_an_image_has_the_aws_services_that_are_called(images: Compose):
    clients = (
        "from aiobotocore.session import get_session;"
        "print(sorted(get_session().get_available_services()))"
    )

    known = await images.docker(
        *("run", "--rm", "orderly-orders:test", "python", "-c", clients)
    )

    assert known == "['sns', 'sqs']\n"
