"""Takes gateways in, renews their certificates, and lets them go. Blocks: it asks the store.

Cheap checks first. What is wrong with a request that bears a good token counts as a try of that
token; after five the token is void, because whoever has it does not have what belongs to it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.serialization import Encoding

from central_sync.ca.authority import Authority
from central_sync.ca.profile import NS_PER_S
from central_sync.enrol.nonces import Nonces
from central_sync.enrol.refusal import NotLetInError, Reason
from central_sync.enrol.requests import (
    Enrolment,
    LastWord,
    Renewal,
    TlsRequest,
    signing_key_of,
    tls_request,
)
from central_sync.model import AlarmCode, Gateway, GatewayKey, IssuedCertificate, Token
from central_sync.store.port import NowNs, Store
from edge_agent.wire.enrolment import (
    DECOMMISSION_CONTEXT,
    ENROLMENT_CONTEXT,
    RENEWAL_CONTEXT,
    TOKEN_SIZE,
    decommission_message,
    enrolment_message,
    renewal_message,
    token_hash,
)
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import VerifyingKey

TOKEN_LIFE_NS: Final = 24 * 3600 * NS_PER_S
TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What a gateway is told when it was taken in."""

    gateway: Gateway
    certificate: str | None


class Office:
    """Decides over requests; `authority` is None where certificates come from elsewhere."""

    def __init__(self, store: Store, authority: Authority | None, *, now_ns: NowNs) -> None:
        self.nonces = Nonces(now_ns)
        self._store = store
        self._authority = authority
        self._now_ns = now_ns

    def enrol(self, request: Enrolment) -> TakenIn:
        """Take a gateway in; the same request again gives the same, while its token lasts.

        Raises:
            NotLetInError: it is not taken in.

        """
        self._require_fresh(request.nonce)
        token = self._token(request)
        gateway = self._gateway(token.gateway_id)
        if request.gateway is not None and request.gateway != str(gateway.id):
            raise NotLetInError(
                Reason.OTHER_GATEWAY, f"the token is for gateway {gateway.id}, not for this one"
            )
        signing_key, tls = self._tried(token, lambda: _checked(request, token))
        certificate, issued = self._issued(tls, gateway.id)
        try:
            is_used = self._store.enrol(
                token.token_hash,
                public_key=signing_key.public_bytes,
                tls_hash=_hash(tls),
                certificate=issued,
            )
        except ValueError as fault:
            raise NotLetInError(Reason.KEY_TAKEN, str(fault)) from fault
        if not is_used:
            raise NotLetInError(Reason.TOKEN_USED, "the token was used by another pair of keys")
        return TakenIn(gateway=gateway, certificate=certificate)

    def renew(self, gateway_id: UUID, request: Renewal) -> str:
        """Return another certificate for a gateway that has its signing key.

        Raises:
            NotLetInError: it gets none.

        """
        self._require_fresh(request.nonce)
        key = self._key(gateway_id, request.key_id)
        if not key.is_active:
            raise NotLetInError(Reason.KEY_REVOKED, f"this key of {gateway_id} was revoked")
        tls = tls_request(request.csr)
        message = renewal_message(gateway_id=gateway_id, nonce=request.nonce, tls_spki=tls.spki)
        _require_proof(key, RENEWAL_CONTEXT, message, request.proof)
        certificate, issued = self._issued(tls, gateway_id)
        if certificate is None or issued is None:
            raise NotLetInError(
                Reason.NO_AUTHORITY, "certificates of gateways come from elsewhere here"
            )
        self._store.keep_certificate(issued)
        return certificate

    def decommission(self, gateway_id: UUID, request: LastWord) -> None:
        """Accept nothing more from a gateway that says so itself; once more changes nothing.

        Raises:
            NotLetInError: it did not say so.

        """
        self._require_fresh(request.nonce)
        key = self._key(gateway_id, request.key_id)
        message = decommission_message(gateway_id=gateway_id, nonce=request.nonce)
        _require_proof(key, DECOMMISSION_CONTEXT, message, request.proof)
        self._store.revoke_gateway(gateway_id, reason="decommissioned at the gateway")

    def _token(self, request: Enrolment) -> Token:
        """Return the token of a request, if it may still be used."""
        token = self._store.token(token_hash(request.token))
        if token is None:
            raise NotLetInError(Reason.TOKEN_UNKNOWN, "no such token, or a newer one replaced it")
        if token.tries >= TRIES:
            raise NotLetInError(Reason.TOKEN_VOID, f"the token failed {TRIES} times and is void")
        if self._now_ns() >= token.expires_ns:
            raise NotLetInError(Reason.TOKEN_EXPIRED, "the token is older than 24 hours")
        return token

    def _gateway(self, gateway_id: UUID) -> Gateway:
        gateway = self._store.gateway(gateway_id)
        if gateway is None or gateway.revoked_ns is not None:
            raise NotLetInError(Reason.GATEWAY_REVOKED, f"gateway {gateway_id} was revoked")
        return gateway

    def _key(self, gateway_id: UUID, key_id: bytes) -> GatewayKey:
        key = self._store.key(gateway_id, key_id)
        if key is None:
            raise NotLetInError(
                Reason.KEY_UNKNOWN, f"key {key_id.hex()[:16]} is no key of {gateway_id}"
            )
        return key

    def _tried(
        self, token: Token, checked: Callable[[], tuple[VerifyingKey, TlsRequest]]
    ) -> tuple[VerifyingKey, TlsRequest]:
        try:
            return checked()
        except NotLetInError as refused:
            self._store.count_try(token.token_hash)
            if refused.reason is Reason.TOKEN_USED:
                self._store.raise_alarm(
                    AlarmCode.KEY, token.gateway_id, subject="token", detail=refused.detail
                )
            raise

    def _issued(
        self, tls: TlsRequest, gateway_id: UUID
    ) -> tuple[str, IssuedCertificate] | tuple[None, None]:
        if self._authority is None:
            return None, None
        made = self._authority.issue(tls.public_key, gateway_id, now_ns=self._now_ns())
        issued = IssuedCertificate(
            serial=made.serial_number,
            gateway_id=gateway_id,
            tls_hash=_hash(tls),
            expires_ns=round(made.not_valid_after_utc.timestamp()) * NS_PER_S,
        )
        return made.public_bytes(Encoding.PEM).decode("ascii"), issued

    def _require_fresh(self, nonce: bytes) -> None:
        if not self.nonces.is_fresh(nonce):
            raise NotLetInError(Reason.NONCE, "the nonce is not ours, or older than ten minutes")


def new_token(store: Store, *, name: str, facility: str, again: bool, now_ns: int) -> bytes:
    """Return a token for a gateway of this name, which is made if there is none.

    Args:
        store: keeps its hash.
        name: what people call the gateway.
        facility: it measures for.
        again: for one that has keys already: it is taken in anew.
        now_ns: UTC ns.

    Raises:
        ValueError: the gateway has keys already, was revoked, or cannot be told from another.

    """
    same = [one for one in store.gateways() if (one.name, one.facility) == (name, facility)]
    active = [one for one in same if one.revoked_ns is None]
    if len(active) > 1:
        raise ValueError(f"{len(active)} gateways of {facility} are called {name}: rename one")
    gateway_id = active[0].id if active else uuid4()
    if active and store.key_states(gateway_id) and not again:
        raise ValueError(
            f"{name} of {facility} is enrolled already, as {gateway_id}. Choose another name, or"
            " --again for new keys of the same gateway"
        )
    if again and not active:
        raise ValueError(f"no gateway of {facility} is called {name}: leave out --again")
    token = secrets.token_bytes(TOKEN_SIZE)
    store.make_token(
        gateway_id,
        facility=facility,
        name=name,
        token_hash=token_hash(token),
        expires_ns=now_ns + TOKEN_LIFE_NS,
    )
    return token


def _checked(request: Enrolment, token: Token) -> tuple[VerifyingKey, TlsRequest]:
    """Return the keys that a request proves to have.

    Raises:
        NotLetInError: TOKEN_USED, SIGNING_KEY, CSR or PROOF.

    """
    signing_key = signing_key_of(request.signing_key)
    tls = tls_request(request.csr)
    if token.signing_key is not None and (token.signing_key, token.tls_hash) != (
        signing_key.public_bytes,
        _hash(tls),
    ):
        raise NotLetInError(Reason.TOKEN_USED, "the token was used by another pair of keys")
    message = enrolment_message(
        token_hash=token.token_hash,
        nonce=request.nonce,
        signing_key=signing_key,
        tls_spki=tls.spki,
    )
    try:
        signing_key.verify(ENROLMENT_CONTEXT, message, request.proof)
    except RefusedError as refused:
        raise NotLetInError(
            Reason.PROOF, "the signing key did not sign token, nonce and keys"
        ) from refused
    return signing_key, tls


def _require_proof(key: GatewayKey, context: bytes, message: bytes, proof: bytes) -> None:
    try:
        VerifyingKey(key.public_key).verify(context, message, proof)
    except RefusedError as refused:
        raise NotLetInError(Reason.PROOF, "the signing key did not sign this request") from refused


def _hash(tls: TlsRequest) -> bytes:
    return sha256(tls.spki).digest()
