"""How much one gateway may send a minute: what it sends beyond that waits, and nobody else does.

Only requests with a frame that its key signed count: a stranger cannot spend what a gateway has.
Pure but for the clock that is handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from uuid import UUID

from central_sync.config import Limits


@dataclass(slots=True)
class _Account:
    """What is left of a minute's worth; below zero is owed."""

    requests: float
    size_bytes: float
    at_s: float


@dataclass(slots=True)
class Allowances:
    """The accounts of all gateways; `now_s` never goes back."""

    limits: Limits
    now_s: Callable[[], float]
    _accounts: dict[UUID, _Account] = field(default_factory=dict)

    def wait_s(self, gateway_id: UUID) -> int:
        """Return for how many seconds a gateway must not send; 0 where it may."""
        account = self._accounts.get(gateway_id)
        if account is None:
            return 0
        self._refill(account)
        lacking_s = max(
            (1 - account.requests) * 60 / self.limits.requests_per_minute,
            -account.size_bytes * 60 / self.limits.bytes_per_minute,
        )
        return max(0, ceil(lacking_s))

    def spent(self, gateway_id: UUID, size_bytes: int) -> None:
        """Note a request of a gateway."""
        account = self._accounts.get(gateway_id)
        if account is None:
            account = self._accounts[gateway_id] = _Account(
                requests=self.limits.requests_per_minute,
                size_bytes=self.limits.bytes_per_minute,
                at_s=self.now_s(),
            )
        self._refill(account)
        account.requests -= 1
        account.size_bytes -= size_bytes

    def _refill(self, account: _Account) -> None:
        now_s = self.now_s()
        minutes = (now_s - account.at_s) / 60
        most = self.limits
        account.requests = min(
            most.requests_per_minute, account.requests + minutes * most.requests_per_minute
        )
        account.size_bytes = min(
            most.bytes_per_minute, account.size_bytes + minutes * most.bytes_per_minute
        )
        account.at_s = now_s
