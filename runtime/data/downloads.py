"""Downloads the file of one link: resumes, detects stalls and web pages, and verifies the server's checksum.

A partial file is kept in a hidden folder beside the data and renamed when it is complete. A download is resumed only
if the server confirms by a validator (If-Range) that the file is unchanged.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

import httpx

from api.addresses import AddressRefused
from api.configs.json_reading import read_json
from api.pods.training_rows import FORMATS
from runtime.data import answers
from runtime.data.failures import BROKEN_OFF, DISK_FULL, STALLED, TOO_LARGE, UNREADABLE, WEB_PAGE, failure_of_link
from runtime.data.guarded_http import GuardedHttp, LinkBroken
from runtime.data.links import Link, is_web_page, with_ending
from runtime.data.progress import DataProgress
from runtime.pod.exit import Failure
from runtime.rows.beginnings import problem_of

WORK: Final = ".fetch"
"""Hidden, so that its files are not taken for data."""
SNIFFED: Final = 512
SLOWEST: Final = 4096
"""Bytes per stall deadline; a slower download counts as stalled, even if bytes arrive regularly."""
SPARE_BYTES: Final = 64 * 2**20
"""Left free on the volume, for the first files of checkpoints and for the file system's metadata."""


@dataclass(frozen=True)
class Fetched:
    """A complete file. `source` is the link's host."""

    file: Path
    source: str


@dataclass
class Downloads:
    """Downloads into one folder. `room` is the number of bytes that may still be written, `ending` that of files whose
    name has none that is known; otherwise the server's answer says it."""

    http: GuardedHttp
    folder: Path
    progress: DataProgress
    room: int
    ending: str = ""

    def fetch(self, link: Link) -> Fetched:
        """Returns the file, downloaded now or by an earlier start. Raises Failure."""
        work = self.folder / WORK
        done = work / f"{link.key}.done"
        try:
            if (found := _found(done, self.folder)) is not None:
                self._count(found.stat().st_size, arrived=True)
                return Fetched(found, link.host)
            work.mkdir(parents=True, exist_ok=True)
            name = self._download(link, work / f"{link.key}.part")
            file = self.folder / name
            os.replace(work / f"{link.key}.part", file)
            done.write_text(json.dumps({"name": name, "bytes": file.stat().st_size}))
        except (AddressRefused, LinkBroken, OSError) as error:
            raise failure_of_link(error, link.shown) from error
        except httpx.TimeoutException as error:
            raise Failure(STALLED, f"{link.shown}: {link.host} stopped sending data") from error
        except httpx.HTTPError as error:
            text = f"{link.shown}: the connection to {link.host} broke: {error or type(error).__name__}"
            raise Failure(BROKEN_OFF, text) from error
        self._count(file.stat().st_size, arrived=False)
        return Fetched(file, link.host)

    def _count(self, size: int, arrived: bool) -> None:
        self.room -= size
        if arrived:
            self.progress.bytes_total += size
            self.progress.advance(size)

    def _download(self, link: Link, part: Path) -> str:
        """Fills `part` and returns the file's final name."""
        notes = part.with_suffix(".json")
        have, validator = _begun(part, notes)
        asked = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        try:
            with self.http.open(link.url, asked, accepted=(200, 206)) as response:
                start = have if response.status_code == 206 and answers.starts_at(response, have) else 0
                if response.status_code == 206 and start != have:
                    raise LinkBroken(f"{link.host} returned a different byte range than requested")
                notes.write_text(json.dumps({"validator": answers.validator(response)}))
                return self._receive(link, response, part, start)
        except LinkBroken as error:
            if error.status == 416:
                # The file is shorter than our offset, so it has changed: the next attempt starts over.
                part.unlink(missing_ok=True)
                raise Failure(BROKEN_OFF, f"{link.shown}: the file changed during the download") from error
            raise

    def _receive(self, link: Link, response: httpx.Response, part: Path, start: int) -> str:
        answers.check_plain(link, response)
        length = answers.length(response)
        if length is not None:
            self._check_room(link, length, start)
            self.progress.bytes_total = max(self.progress.bytes_total, self.progress.bytes_done + start + length)
        before = self.progress.bytes_done
        try:
            with part.open("r+b" if start else "wb") as stream:
                stream.truncate(start)
                stream.seek(start)
                self.progress.advance(start)
                self._copy(link, response, stream, start)
                beginning = _beginning(part, stream)
            answers.check_promise(link, response, part)
        except BaseException:
            self.progress.bytes_done = before
            raise
        return self._name(link, response, beginning)

    def _name(self, link: Link, response: httpx.Response, beginning: bytes) -> str:
        """The file's name. Raises Failure where nothing says how to read it: data would silently be missing."""
        kind, disposition = (response.headers.get(name, "") for name in ("Content-Type", "Content-Disposition"))
        name = with_ending(link.name, kind, beginning, disposition, self.ending)
        ending = PurePosixPath(name).suffix.lower()
        if ending in FORMATS:
            return name
        why = problem_of(beginning, ending) or "nothing says of which format it is: name it in dataset_extension"
        raise Failure(UNREADABLE, f"{link.shown}: {why}; files to train on end with {', '.join(FORMATS)}")

    def _copy(self, link: Link, response: httpx.Response, stream: BinaryIO, start: int) -> None:
        count = 0
        for chunk in _paced(response, self.http.timeout_s, link):
            if start + count == 0 and is_web_page(chunk[:SNIFFED]):
                raise Failure(WEB_PAGE, f"{link.shown}: {link.host} returned a web page instead of data")
            count += len(chunk)
            if start + count > self.room:
                raise Failure(TOO_LARGE, f"{link.shown}: larger than the {self.room} bytes that are left of the limit")
            stream.write(chunk)
            self.progress.advance(len(chunk))

    def _check_room(self, link: Link, length: int, start: int) -> None:
        if start + length > self.room:
            text = f"{link.shown} has {start + length} bytes, and {self.room} are left of the limit"
            raise Failure(TOO_LARGE, text)
        free = shutil.disk_usage(self.folder).free
        if length + SPARE_BYTES > free:
            text = (
                f"{link.shown}: {length / 1e6:.1f} MB are left to download, and the volume has {free / 1e6:.1f} MB free"
            )
            raise Failure(DISK_FULL, text)


def _paced(response: httpx.Response, stall_s: float, link: Link) -> Iterator[bytes]:
    """Yields chunks; raises Failure if they arrive too slowly. The connection's timeout covers waits without a byte."""
    since, arrived = time.monotonic(), 0
    for chunk in response.iter_raw():
        yield chunk
        arrived += len(chunk)
        now = time.monotonic()
        if now - since > stall_s:
            if arrived < SLOWEST:
                raise Failure(STALLED, f"{link.shown}: only {arrived} bytes arrived in {now - since:.0f} s")
            since, arrived = now, 0


def _found(done: Path, folder: Path) -> Path | None:
    """Returns the file of an earlier start if its length is unchanged."""
    try:
        noted = read_json(done.read_text())
        file = folder / str(noted["name"])
        return file if file.is_file() and file.stat().st_size == noted["bytes"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _begun(part: Path, notes: Path) -> tuple[int, str]:
    """Returns the bytes of an earlier attempt and the validator that the server sent with them."""
    try:
        validator = str(read_json(notes.read_text())["validator"])
        return (part.stat().st_size, validator) if validator else (0, "")
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0, ""


def _beginning(part: Path, stream: BinaryIO) -> bytes:
    stream.flush()
    with part.open("rb") as again:
        return again.read(SNIFFED)
