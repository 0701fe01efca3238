import json

from orderly.stack.services import GATEWAY_SECRET, shared_environment


def test_a_stand_in_for_the_gateway_is_heard_unless_another_is_set(monkeypatch):
    monkeypatch.delenv("ACCOUNTING_GATEWAY_SECRETS", raising=False)
    made_up = shared_environment("http://localhost", {})["ACCOUNTING_GATEWAY_SECRETS"]
    monkeypatch.setenv("ACCOUNTING_GATEWAY_SECRETS", '["real"]')
    given = shared_environment("http://localhost", {})["ACCOUNTING_GATEWAY_SECRETS"]

    assert json.loads(made_up) == [GATEWAY_SECRET]
    assert json.loads(given) == ["real"]
