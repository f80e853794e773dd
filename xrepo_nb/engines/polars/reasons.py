"""Why a lowered plan stops while it runs."""

from __future__ import annotations


class Inexact(Exception):
    """The rows hold what the lowered form cannot express exactly: an int sum past 64 bits, a zero divisor.

    Raised while running, by the guards that a lowering puts around such operations.
    """


class Close(Inexact):
    """The rows hold numbers so close together, far from zero, that what is told of them apart is lost.

    Raised while running; the plan is lowered again to a form that takes longer and loses nothing.
    """
