"""Routing, the built-in handler, users and their passwords."""

from ._ima.service import (
    Accounts,
    LocalHandler,
    PasswordHash,
    RoutingTable,
)

__all__ = [
    "Accounts",
    "LocalHandler",
    "PasswordHash",
    "RoutingTable",
]
