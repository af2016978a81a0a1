"""Routing, the built-in handler, users and their passwords, the queue."""

from ._ima.service import (
    Accounts,
    Destination,
    LocalHandler,
    PasswordHash,
    Queue,
    QueueAddition,
    QueuedHost,
    QueuedMessage,
    Resolution,
    RetryPolicy,
    Route,
    RoutingTable,
)

__all__ = [
    "Accounts",
    "Destination",
    "LocalHandler",
    "PasswordHash",
    "Queue",
    "QueueAddition",
    "QueuedHost",
    "QueuedMessage",
    "Resolution",
    "RetryPolicy",
    "Route",
    "RoutingTable",
]
