"""The tables of the buffer and the settings every connection must have; text only, no I/O.

Every stored column is under a hash, so that no damage is ever read as data: headers hold numbers,
hashes and times; `receipt`, `emptied` and `document` rows carry their own SHA-256. Page size and
checkpoint length were measured: docs/adr/0003-buffer-layout.md.
"""

from collections.abc import Mapping
from typing import Final

# "EWPB" in the header of the file, so that no other SQLite file passes for a buffer.
APPLICATION_ID: Final = 0x4557_5042
USER_VERSION: Final = 1
# What the header of a file says when it is a buffer of this software; a damaged auto_vacuum would
# let SQLite write page maps over batches.
MARKS: Final[Mapping[str, int]] = {
    "application_id": APPLICATION_ID,
    "user_version": USER_VERSION,
    "auto_vacuum": 0,
}
# Offset -> constant, of every file made here: the magic; write and read version (2 = WAL), no
# reserved bytes, payload fractions. Source: SQLite database file format, section 1.3.
FILE_HEADER: Final[Mapping[int, bytes]] = {
    0: b"SQLite format 3\0",
    18: bytes([2, 2, 0, 64, 32, 32]),
}
FILE_HEADER_BYTES: Final = 100

# docs/adr/0003-buffer-layout.md: bytes written per reading, and 400 power cuts survived.
PAGE_BYTES: Final = 512
CHECKPOINT_PAGES: Final = 2000
# The log keeps this length between checkpoints, so that commits do not make the file grow: growth
# costs journal blocks of the file system.
LOG_BYTES: Final = 4 * 1024 * 1024

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
    ("journal_size_limit", str(LOG_BYTES), LOG_BYTES),
    ("cache_size", "-512", -512),  # KiB: a batch is written once and seldom read
    ("cell_size_check", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("temp_store", "MEMORY", 2),
    ("mmap_size", "0", 0),  # an I/O error on a mapped page is a SIGBUS, not an exception
    # Waited for twice by a start that another program keeps from writing: less than 10 s together.
    ("busy_timeout", "3000", 3000),
    ("foreign_keys", "ON", 1),
)

# A batch never changes after its insert, so that no commit rewrites a body: what is receipted
# stands apart, as runs of positions. A position counts the batches of a buffer, over all chains.
# `emptied`: of every batch of these positions that held readings only the headstone is left; those
# in `gone` too are gone altogether, because their bytes were damaged.
# What devices sent unasked is known by its mark: one that is damaged only fails to be recognised.
# Batches salvaged from damaged files have positions below zero, in the spans of `salvaged`.
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
    CREATE TABLE emptied (
      last_position INTEGER PRIMARY KEY,
      first_position INTEGER NOT NULL CHECK (first_position <= last_position),
      sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE gone (
      last_position INTEGER PRIMARY KEY,
      first_position INTEGER NOT NULL CHECK (first_position <= last_position),
      sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE document (
      sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
      packed BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE delivered (
      number INTEGER PRIMARY KEY,
      mark BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE salvaged (
      first_position INTEGER PRIMARY KEY,
      last_position INTEGER NOT NULL CHECK (last_position BETWEEN first_position AND -1),
      sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
    ) STRICT
    """,
    """
    CREATE TABLE fact (
      name TEXT PRIMARY KEY,
      content TEXT NOT NULL,
      sha256 BLOB NOT NULL CHECK (length(sha256) = 32)
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
