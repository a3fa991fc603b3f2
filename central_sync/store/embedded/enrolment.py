"""Tokens and certificates in SQLite, and the keys that come with them."""

import sqlite3
from typing import Final
from uuid import UUID

from central_sync.model import IssuedCertificate, Token
from central_sync.store.embedded import log
from central_sync.store.embedded.database import Database
from central_sync.store.port import NowNs
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import Hash

# RFC 5280 section 4.1.2.2: a serial number has at most 20 octets.
SERIAL_BYTES: Final = 20


class EnrolmentTables:
    """The tables `enrolment_token` and `certificate`."""

    _db: Database
    _now_ns: NowNs

    def make_token(
        self, gateway_id: UUID, *, facility: str, name: str, token_hash: Hash, expires_ns: int
    ) -> None:
        """Keep a token; make its gateway if there is none; what tokens it had are void."""
        now_ns = self._now_ns()
        with self._db.write() as connection:
            connection.execute(
                "insert into gateway (id, facility, name, added_ns) values (?, ?, ?, ?)"
                " on conflict do nothing",
                (gateway_id.bytes, facility, name, now_ns),
            )
            log.note_gateway(connection, gateway_id, facility=facility, name=name, now_ns=now_ns)
            connection.execute(
                "delete from enrolment_token where gateway_id = ?", (gateway_id.bytes,)
            )
            connection.execute(
                "insert into enrolment_token (token_hash, gateway_id, made_ns, expires_ns, tries)"
                " values (?, ?, ?, ?, 0)",
                (token_hash, gateway_id.bytes, now_ns, expires_ns),
            )

    def token(self, token_hash: Hash) -> Token | None:
        """Return a token, used or not; None when it was never made, or is void."""
        with self._db.read() as connection:
            row = connection.execute(
                "select gateway_id, expires_ns, tries, signing_key, tls_hash from enrolment_token"
                " where token_hash = ?",
                (token_hash,),
            ).fetchone()
        if row is None:
            return None
        gateway, expires_ns, tries, signing_key, tls_hash = row
        return Token(
            token_hash=token_hash,
            gateway_id=UUID(bytes=gateway),
            expires_ns=expires_ns,
            tries=tries,
            signing_key=signing_key,
            tls_hash=tls_hash,
        )

    def count_try(self, token_hash: Hash) -> None:
        """Count a request that a token could not be used for."""
        with self._db.write() as connection:
            connection.execute(
                "update enrolment_token set tries = tries + 1 where token_hash = ?", (token_hash,)
            )

    def enrol(
        self,
        token_hash: Hash,
        *,
        public_key: bytes,
        tls_hash: bytes,
        certificate: IssuedCertificate | None,
    ) -> bool:
        """Use a token for a public key: register the key, keep the certificate."""
        now_ns = self._now_ns()
        with self._db.write() as connection:
            row = connection.execute(
                "update enrolment_token set used_ns = coalesce(used_ns, ?1), signing_key = ?2,"
                " tls_hash = ?3 where token_hash = ?4 and (used_ns is null or"
                " (signing_key = ?2 and tls_hash = ?3)) returning gateway_id",
                (now_ns, public_key, tls_hash, token_hash),
            ).fetchone()
            if row is None:
                return False
            add_key(connection, UUID(bytes=row[0]), public_key, now_ns=now_ns)
            if certificate is not None:
                connection.execute(
                    "update certificate set revoked_ns = ? where gateway_id = ? and tls_hash <> ?"
                    " and revoked_ns is null",
                    (now_ns, row[0], tls_hash),
                )
                _keep(connection, certificate, now_ns=now_ns)
            return True

    def keep_certificate(self, certificate: IssuedCertificate) -> None:
        """Keep what is known of a certificate that was made; expired ones are forgotten."""
        now_ns = self._now_ns()
        with self._db.write() as connection:
            _keep(connection, certificate, now_ns=now_ns)

    def certificate(self, serial: int) -> IssuedCertificate | None:
        """Return what is known of a certificate of our authority."""
        with self._db.read() as connection:
            row = connection.execute(
                "select gateway_id, tls_hash, expires_ns, revoked_ns from certificate"
                " where serial = ?",
                (_serial(serial),),
            ).fetchone()
        if row is None:
            return None
        gateway, tls_hash, expires_ns, revoked_ns = row
        return IssuedCertificate(
            serial=serial,
            gateway_id=UUID(bytes=gateway),
            tls_hash=tls_hash,
            expires_ns=expires_ns,
            revoked_ns=revoked_ns,
        )


def add_key(
    connection: sqlite3.Connection, gateway_id: UUID, public_key: bytes, *, now_ns: int
) -> None:
    """Register one more key of a gateway; nothing to do where it is registered already.

    Raises:
        ValueError: it is another gateway's, or was revoked.

    """
    key_id = VerifyingKey(public_key).key_id
    (owner,) = connection.execute(
        "select gateway_id from gateway_key where key_id = ?", (key_id,)
    ).fetchone() or (None,)
    if owner is None:
        connection.execute(
            "insert into gateway_key (gateway_id, key_id, public_key, added_ns)"
            " values (?, ?, ?, ?)",
            (gateway_id.bytes, key_id, public_key, now_ns),
        )
        log.note_key(connection, gateway_id, public_key, now_ns=now_ns)
    elif owner != gateway_id.bytes:
        raise ValueError(f"key {key_id.hex()[:16]} is another gateway's")
    elif connection.execute("select 1 from revoked_key where key_id = ?", (key_id,)).fetchone():
        raise ValueError(f"key {key_id.hex()[:16]} was revoked")


def _keep(connection: sqlite3.Connection, certificate: IssuedCertificate, *, now_ns: int) -> None:
    connection.execute(
        "delete from certificate where gateway_id = ? and expires_ns < ?",
        (certificate.gateway_id.bytes, now_ns),
    )
    connection.execute(
        "insert into certificate (serial, gateway_id, tls_hash, issued_ns, expires_ns)"
        " values (?, ?, ?, ?, ?)",
        (
            _serial(certificate.serial),
            certificate.gateway_id.bytes,
            certificate.tls_hash,
            now_ns,
            certificate.expires_ns,
        ),
    )


def _serial(serial: int) -> bytes:
    return serial.to_bytes(SERIAL_BYTES, "big")
