"""Keep bytes under their SHA-256 in S3-compatible object storage, through obstore."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from rounds_hub.archive.fetched import DamagedError, Fetched
from rounds_hub.archive.staging import Staging, pieces_of
from rounds_hub.archive.store import (
    Kept,
    Lying,
    StoreAwayError,
    checked_hash,
    has_its_hash,
    put_into,
)
from rounds_hub.errors import NotFoundError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from obstore.store import S3Config

    from rounds_hub.archive.incoming import Incoming, Staged
    from rounds_hub.archive.staging import Source

__all__ = ["Bucket", "ObjectStore", "open_bucket"]

AT_ONCE = 8
WHOLE = 16 * 2**20
"""Up to this size bytes are sent in one request, which the server checks as a whole."""
PIECE = 8 * 2**20
CONNECT, REQUEST = timedelta(seconds=3), timedelta(seconds=60)
RETRIES, RETRY_SECONDS = 2, timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is, and the key to it.

    *url* is ``s3://bucket/prefix``; *endpoint* is empty for the service's own; *key*
    and *secret* are empty where the environment or the machine has them (``AWS_…``).
    """

    name: str
    url: str
    endpoint: str = ""
    region: str = "us-east-1"
    key: str = ""
    secret: str = ""


def open_bucket(bucket: Bucket) -> S3Store:
    """Return *bucket* opened; nothing is connected yet.

    Raises
    ------
    SettingsError
        If its URL names no bucket.
    """
    config: S3Config = {
        "region": bucket.region,
        "checksum_algorithm": "SHA256",
        "virtual_hosted_style_request": not bucket.endpoint,
    }
    if bucket.endpoint:
        config["endpoint"] = bucket.endpoint
    if bucket.key:
        config["access_key_id"] = bucket.key
        config["secret_access_key"] = bucket.secret
    try:
        return S3Store.from_url(
            bucket.url,
            config=config,
            client_options={
                "allow_http": bucket.endpoint.startswith("http://"),
                "connect_timeout": CONNECT,
                "timeout": REQUEST,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_SECONDS},
        )
    except (BaseError, ValueError) as error:
        msg = (
            f"Store {bucket.name!r} cannot be at {bucket.url!r}: say s3://bucket/path."
        )
        raise SettingsError(msg) from error


class ObjectStore:
    """A content-addressed bucket; what is read is fetched once and kept near by.

    Bytes are staged on this machine and sent under ``objects/<2 hex>/<sha256>`` with
    their SHA-256, which the server compares; they are kept when it has said so.

    Parameters
    ----------
    bucket
        Where the bucket is.
    staging
        Where things are written on this machine before they are sent.
    fetched
        The cache of what was fetched.
    """

    def __init__(self, bucket: Bucket, staging: Staging, fetched: Fetched) -> None:
        """Use *bucket*; nothing is connected yet."""
        self.name = bucket.name
        self._bucket = open_bucket(bucket)
        self._staging = staging
        self._fetched = fetched

    @property
    def folder(self) -> Path:
        """Where things are staged on this machine."""
        return self._staging.folder

    @property
    def free_space_bytes(self) -> int:
        """Space on the disk of *folder* that is never filled."""
        return self._staging.free_space_bytes

    @free_space_bytes.setter
    def free_space_bytes(self, value: int) -> None:
        self._staging.free_space_bytes = value

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing.

        Errors are those of :meth:`stage` and :meth:`keep`.
        """
        return put_into(self, source, limit)

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* on this machine and hash them on the way.

        Raises
        ------
        NoSpaceError
            If the disk would be filled; nothing half written is left.
        TooLargeError
            If there are more than *limit* bytes.
        """
        return self._staging.stage(source, limit)

    def incoming(self, limit: int | None = None) -> Incoming:
        """Begin a file on this machine that is hashed while it comes."""
        return self._staging.incoming(limit)

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Send every staged file of *batch*; return when the server has all of them.

        Raises
        ------
        StoreAwayError
            If the server does not answer, or says no; some may be there already.
        SettingsError
            If there is no such bucket, or the key is refused.
        """
        new = list({one.sha256: one for one in batch}.values())
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._send, new))
        self._fetched.add(new)
        for staged in batch:
            self.drop(staged)
        return [Kept(one.sha256, one.size) for one in batch]

    def drop(self, staged: Staged) -> None:
        """Remove what was staged; a second time changes nothing."""
        self._staging.drop(staged)

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the server has the bytes, *size* many where that is given."""
        key = self._key(sha256)
        try:
            with self._in_our_words(sha256):
                found = obstore.head(self._bucket, key)
        except NotFoundError:
            return False
        return size is None or found["size"] == size

    def path(self, sha256: str) -> Path:
        """Return a file with the bytes, fetched and compared with its hash.

        Raises
        ------
        NotFoundError
            If the server has no such object.
        DamagedError
            If what came has another hash.
        StoreAwayError
            If the server does not answer.
        """
        checked_hash(sha256)
        return self._fetched.path(sha256, self.read)

    def paths(self, hashes: Sequence[str]) -> list[Path]:
        """Return files with the bytes of each of *hashes*, fetched together.

        Errors are those of :meth:`path`.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.path, hashes))

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading; errors are those of :meth:`path`."""
        return self.path(sha256).open("rb")

    def read(self, sha256: str) -> Iterator[bytes]:
        """Read the bytes from the server; errors are those of :meth:`path`."""
        key = self._key(sha256)
        with self._in_our_words(sha256):
            for piece in obstore.get(self._bucket, key).stream(min_chunk_size=PIECE):
                yield bytes(piece)

    def verify(self, sha256: str) -> bool:
        """Return whether the server has the bytes and they still have their hash."""
        try:
            return has_its_hash(sha256, self.read(sha256))
        except NotFoundError:
            return False

    def every(self, prefix: str = "") -> Iterator[Lying]:
        """Yield what lies in the bucket under hashes that begin with *prefix*.

        S3 lists whole folders: *prefix* has no or at least two letters.
        """
        folder = f"objects/{prefix[:2]}" if prefix else "objects"
        with self._in_our_words():
            for some in obstore.list(self._bucket, prefix=folder):
                for one in some:
                    name = one["path"].rpartition("/")[2]
                    if name.startswith(prefix):
                        at = one["last_modified"].timestamp()
                        yield Lying(name, one["size"], at)

    def remove(self, sha256: str) -> None:
        """Remove the bytes; a second time changes nothing."""
        self._fetched.forget(sha256)
        with self._in_our_words():
            obstore.delete(self._bucket, self._key(sha256))

    def set_aside(self, sha256: str) -> bool:
        """Put the bytes where nobody reads them; return whether they were there."""
        self._fetched.forget(sha256)
        return self._move(self._key(sha256), self._aside_key(sha256))

    def bring_back(self, sha256: str) -> bool:
        """Undo :meth:`set_aside`; return whether the bytes are there now."""
        if self.has(sha256):
            return True
        return self._move(self._aside_key(sha256), self._key(sha256))

    def forget_aside(self, sha256: str) -> None:
        """Remove bytes that were set aside; a second time changes nothing."""
        with self._in_our_words():
            obstore.delete(self._bucket, self._aside_key(sha256))

    def scratch(self) -> Path:
        """Return the path of a new file on this machine, swept if we die."""
        return self._staging.scratch()

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files."""
        return self._staging.sweep_temporaries() + self._fetched.sweep()

    def _send(self, staged: Staged) -> None:
        """Send one staged file and wait until the server has said that it has it."""
        key = self._key(staged.sha256)
        try:
            with self._in_our_words():
                if staged.size > WHOLE:
                    self._send_in_pieces(key, staged)
                    return
                data = staged.path.read_bytes()
                if hashlib.sha256(data).hexdigest() != staged.sha256:
                    raise DamagedError(staged.sha256)
                obstore.put(self._bucket, key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            if not self.has(staged.sha256, staged.size):
                self._replace(key, staged)
        except NotFoundError as error:
            msg = f"Store {self.name!r} has no such bucket; make it, then try again."
            raise SettingsError(msg) from error

    def _replace(self, key: str, staged: Staged) -> None:
        """Send bytes over those of another size that lie under their name."""
        with self._in_our_words():
            self._send_in_pieces(key, staged)

    def _send_in_pieces(self, key: str, staged: Staged) -> None:
        """Send a large file piece by piece; what changed on the disk is not kept."""
        digest = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            for piece in pieces_of(staged.path):
                digest.update(piece)
                yield piece

        obstore.put(self._bucket, key, pieces(), chunk_size=PIECE)
        if digest.hexdigest() != staged.sha256:
            obstore.delete(self._bucket, key)
            raise DamagedError(staged.sha256)

    def _move(self, source: str, target: str) -> bool:
        """Copy one object, then remove it; return whether there was one."""
        try:
            with self._in_our_words():
                obstore.copy(self._bucket, source, target)
                obstore.delete(self._bucket, source)
        except NotFoundError:
            return False
        return True

    def _key(self, sha256: str) -> str:
        """Return the name of an object in the bucket."""
        return f"objects/{checked_hash(sha256)[:2]}/{sha256}"

    def _aside_key(self, sha256: str) -> str:
        """Return the name of an object that was set aside."""
        return f"quarantine/{checked_hash(sha256)}"

    @contextmanager
    def _in_our_words(self, sha256: str = "") -> Iterator[None]:
        """Say trouble with the server as an error of the house."""
        try:
            yield
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:
            kind = "object"
            raise NotFoundError(kind, sha256) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            msg = f"Store {self.name!r} refuses the key; see docs/archive.md."
            raise SettingsError(msg) from error
        except (BaseError, OSError) as error:
            msg = f"Store {self.name!r} does not answer. Try again in a moment."
            raise StoreAwayError(msg) from error
