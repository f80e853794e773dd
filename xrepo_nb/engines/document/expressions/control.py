"""Choice: `$cond`, `$ifNull`, `$switch`."""

from __future__ import annotations

from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document.expressions.registry import Compile, Evaluate, Variables, special
from xrepo_nb.engines.document.values import is_absent, truth
from xrepo_nb.query.expressions import Call


@special("$cond")
def cond(call: Call, compile: Compile) -> Evaluate:
    test, then, otherwise = (compile(item) for item in call.args)

    def evaluate(document: Any, variables: Variables) -> Any:
        return (then if truth(test(document, variables)) else otherwise)(document, variables)

    return evaluate


@special("$ifNull")
def if_null(call: Call, compile: Compile) -> Evaluate:
    *items, last = [compile(item) for item in call.args]

    def evaluate(document: Any, variables: Variables) -> Any:
        for item in items:
            value = item(document, variables)
            if not is_absent(value):
                return value
        return last(document, variables)

    return evaluate


@special("$switch")
def switch(call: Call, compile: Compile) -> Evaluate:
    compiled = [compile(item) for item in call.args]
    branches = list(zip(compiled[::2], compiled[1::2], strict=True))
    default = call.option("default")
    otherwise = None if default is None else compile(default)

    def evaluate(document: Any, variables: Variables) -> Any:
        for case, then in branches:
            if truth(case(document, variables)):
                return then(document, variables)
        if otherwise is None:
            raise XRepoQueryError("no branch of $switch holds, and there is no default", at=call.at)
        return otherwise(document, variables)

    return evaluate
