import socket

import pytest

from orderly.errors import StackError
from orderly.stack.folder import Folder, State
from orderly.stack.ports import Ports


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path):
    folder = Folder(tmp_path)

    with (
        folder.held(),
        pytest.raises(StackError, match="orderly down"),
        Folder(tmp_path).held(),
    ):
        pass


def test_a_folder_is_held_only_meanwhile(tmp_path):
    folder = Folder(tmp_path)

    with folder.held():
        assert folder.is_held
    assert not folder.is_held


def test_where_a_stack_was_last_is_remembered(tmp_path):
    folder, state = Folder(tmp_path), State(42, Ports.free(), ready=True)

    folder.write_state(state)

    assert folder.read_state() == state


def test_a_taken_port_is_named_with_the_option_that_helps():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(StackError) as refused:
            Ports(orders=port).check()

    assert f"Port {port}, for orders, is taken by " in str(refused.value)
    assert f"--orders-port {port + 1}" in str(refused.value)


def test_free_ports_differ():
    Ports.free().check()


def test_two_parts_cannot_share_a_port():
    with pytest.raises(StackError, match="same port"):
        Ports(orders=9000, inventory=9000).check()
