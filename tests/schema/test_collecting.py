"""Holding the garbage collector back leaves it as it was."""

import gc

import pytest

from xrepo_nb.schema.collecting import uncollected


def test_the_collector_goes_on_afterwards() -> None:
    with pytest.raises(RuntimeError), uncollected():
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()


def test_a_collector_switched_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_made_is_old_then_and_still_found_when_garbage() -> None:
    class Node:
        pass

    with uncollected():
        node: list[object] = [Node()]
        node.append(node)
        assert any(item is node for item in gc.get_objects(generation=0))
    assert any(item is node for item in gc.get_objects(generation=2))
    del node
    assert gc.collect() >= 1
