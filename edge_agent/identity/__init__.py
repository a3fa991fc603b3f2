"""Who this gateway is: its signing key, and whose receipts count.

`tls` beside it, the TLS key and certificate, is loaded where it is needed: it takes 4 MB.
"""

from edge_agent.identity.key_file import credentials_folder, wipe
from edge_agent.identity.rotation import NextKey
from edge_agent.identity.signing import (
    create_signing_key,
    load_receipt_keys,
    load_signing_key,
    public_pem,
)

__all__ = [
    "NextKey",
    "create_signing_key",
    "credentials_folder",
    "load_receipt_keys",
    "load_signing_key",
    "public_pem",
    "wipe",
]
