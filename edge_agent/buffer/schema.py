"""The tables of the buffer and the settings every connection must have; text only, no I/O.

Every stored column is under a hash, so that no damage is ever read as data: headers hold numbers,
hashes and times; `receipt` and `document` rows carry their own SHA-256. Page size and checkpoint
length were measured: docs/adr/0003-buffer-layout.md.
"""

from typing import Final

# "EWPB" in the header of the file, so that no other SQLite file passes for a buffer.
APPLICATION_ID: Final = 0x4557_5042
USER_VERSION: Final = 1

# docs/adr/0003-buffer-layout.md: bytes written per reading, and 400 power cuts survived.
PAGE_BYTES: Final = 1024
CHECKPOINT_PAGES: Final = 4000

# What a page holds besides a row's overflow: the pointer to the next page of the chain.
# Source: SQLite database file format, section 1.6 (cell payload overflow pages).
PAGE_POINTER_BYTES: Final = 4

# Set on each new connection in this order, and each asked for again: a build of SQLite may ignore
# a pragma without a word. synchronous=FULL (2) is per connection; NORMAL lost acknowledged
# batches in every power cut tried (docs/adr/0003-buffer-layout.md).
PRAGMAS: Final[tuple[tuple[str, str, str | int], ...]] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("wal_autocheckpoint", str(CHECKPOINT_PAGES), CHECKPOINT_PAGES),
    ("journal_size_limit", "8388608", 8_388_608),
    ("cell_size_check", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("temp_store", "MEMORY", 2),
    ("mmap_size", "0", 0),  # an I/O error on a mapped page is a SIGBUS, not an exception
    ("busy_timeout", "5000", 5000),
    ("foreign_keys", "ON", 1),
)

# A batch never changes after its insert, so that no commit rewrites a body: what is receipted
# stands apart, as runs of positions. A position counts the batches of a buffer, over all chains.
TABLES: Final = (
    """
    CREATE TABLE chain (
      first_position INTEGER PRIMARY KEY,
      chain_id BLOB NOT NULL CHECK (length(chain_id) = 16)
    ) STRICT
    """,
    """
    CREATE TABLE sealed (
      position INTEGER PRIMARY KEY,
      batch_hash BLOB NOT NULL CHECK (length(batch_hash) = 32),
      header BLOB NOT NULL CHECK (length(header) = 312),
      signature BLOB NOT NULL CHECK (length(signature) = 64),
      body BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE receipt (
      last_position INTEGER PRIMARY KEY,
      first_position INTEGER NOT NULL CHECK (first_position <= last_position),
      receipt BLOB NOT NULL CHECK (length(receipt) = 185),
      sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE document (
      sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
      body BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE VIEW batch AS
    SELECT
      chain.chain_id,
      sealed.position - chain.first_position AS batch_no,
      sealed.batch_hash, sealed.header, sealed.signature, sealed.body,
      EXISTS (
        SELECT 1 FROM receipt
        WHERE sealed.position BETWEEN receipt.first_position AND receipt.last_position
      ) AS receipted
    FROM sealed
    JOIN chain ON chain.first_position = (
      SELECT max(first_position) FROM chain WHERE first_position <= sealed.position
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {USER_VERSION}",
)
