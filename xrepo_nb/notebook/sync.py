"""SyncRepo: a repo's asynchronous methods as plain ones, each taken from the method itself."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from xrepo_nb.notebook.loops import iterate, run
from xrepo_nb.repos.base import XRepo

P = ParamSpec("P")
R = TypeVar("R")


def _waited(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[SyncRepo, P], R]:
    """The method that waits for the asynchronous one of the same name."""

    @wraps(method)
    def call(self: SyncRepo, /, *args: P.args, **kwargs: P.kwargs) -> R:
        work: Coroutine[Any, Any, R] = getattr(self._repo, method.__name__)(*args, **kwargs)
        return run(work)

    return call


def _iterated(
    method: Callable[Concatenate[Any, P], AsyncIterator[R]],
) -> Callable[Concatenate[SyncRepo, P], Iterator[R]]:
    """The method that iterates over what the asynchronous one of the same name gives."""

    @wraps(method)
    def call(self: SyncRepo, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return iterate(getattr(self._repo, method.__name__)(*args, **kwargs))

    return call


class SyncRepo:
    """A repo without `await`, in plain scripts and in cells: `repo.sync.list({"age": 3})`.

    Each method has the parameters, result, errors and cost of the repo's own, and waits for it
    (see `notebook.loops.run`); what gives an asynchronous iterator gives a plain one here. All
    else (`schema`, `statistics`, `audit`, `metadata`, what a subclass adds) is the repo's.
    """

    def __init__(self, repo: XRepo[Any]) -> None:
        self._repo = repo

    read = _waited(XRepo.read)
    exists = _waited(XRepo.exists)
    list = _waited(XRepo.list)
    find_one = _waited(XRepo.find_one)
    count = _waited(XRepo.count)
    distinct = _waited(XRepo.distinct)
    aggregate = _waited(XRepo.aggregate)
    stream = _iterated(XRepo.stream)
    frame = _waited(XRepo.frame)
    explain = _waited(XRepo.explain)
    create = _waited(XRepo.create)
    update = _waited(XRepo.update)
    delete = _waited(XRepo.delete)
    restore = _waited(XRepo.restore)
    bulk_create = _waited(XRepo.bulk_create)
    bulk_update = _waited(XRepo.bulk_update)
    bulk_delete = _waited(XRepo.bulk_delete)
    get_statistics = _waited(XRepo.get_statistics)
    get_audit_log = _waited(XRepo.get_audit_log)
    refresh = _waited(XRepo.refresh)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._repo, name)
        return _plain(found) if inspect.ismethod(found) else found

    def __dir__(self) -> Any:
        return sorted({*super().__dir__(), *(name for name in dir(self._repo) if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"{self._repo!r}.sync"


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method that waits for what this one gives, if that has to be waited for."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = method(*args, **kwargs)
        if inspect.iscoroutine(given):
            return run(given)
        return iterate(given) if isinstance(given, AsyncIterator) else given

    return call
