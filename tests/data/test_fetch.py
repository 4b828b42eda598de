"""Fetching from a web server on this machine that breaks off, refuses, and sends other content."""

import hashlib
import random
import re
import signal
import subprocess
import sys
from importlib import import_module

import gdown
import pytest
import requests
from archive_server import Site, serving

from metabin.data.acquisition.fetch import fetch
from metabin.data.acquisition.local_datasets import READERS
from metabin.data.readers.archive import Archive
from metabin.errors import DatasetError

CONTENT = b"PK" + random.Random(0).randbytes(3 << 20)
MEGABYTE = 1 << 20
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NO_PAUSES = (0.0, 0.0, 0.0)
ARCHIVES = {
    name: reader.ARCHIVE
    for name in READERS
    if hasattr(reader := import_module(f"metabin.data.readers.{name}"), "ARCHIVE")
}


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Site(CONTENT)) as site:
        yield site


def archive_at(site, **changes):
    return Archive(**{"file": "set.zip", "url": site.url, "licence": "none", "checksum": MD5} | changes)


def arrived(site, folder, on_bytes=None, **changes):
    return fetch(archive_at(site, **changes), folder, on_bytes, pauses=NO_PAUSES).read_bytes()


def failed(site, folder, message, **changes):
    with pytest.raises(DatasetError, match=message) as error:
        arrived(site, folder, **changes)
    assert str(error.value).startswith(f"set.zip cannot be fetched from {site.url}: ")
    assert f"download it with a web browser and put it unchanged into {folder}" in str(error.value)


def test_a_file_is_fetched_once_with_progress(site, tmp_path):
    steps = []
    assert arrived(site, tmp_path / "new", on_bytes=lambda *step: steps.append(step)) == CONTENT
    assert sum(count for count, _ in steps) == len(CONTENT)
    assert {total for _, total in steps} == {len(CONTENT)}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set.zip"]
    assert arrived(site, tmp_path / "new") == CONTENT
    assert len(site.requests) == 1


def test_a_connection_that_breaks_off_twice_is_resumed_twice(site, tmp_path):
    site.drops = [MEGABYTE, 0, MEGABYTE]
    steps = []
    assert arrived(site, tmp_path, on_bytes=lambda count, _: steps.append(count)) == CONTENT
    assert site.resumed == [f"bytes={MEGABYTE}-", f"bytes={2 * MEGABYTE}-"]
    assert sum(steps) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_server_that_cannot_resume_starts_afresh(site, tmp_path):
    site.drops = [MEGABYTE]
    site.ranges = False
    steps = []
    assert arrived(site, tmp_path, on_bytes=lambda count, _: steps.append(count)) == CONTENT
    assert sum(steps) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_always_breaks_off_ends_with_an_error_and_keeps_its_partial_file(site, tmp_path, ranges):
    site.ranges = ranges
    site.drops = [MEGABYTE, *[0] * 1000] if ranges else [MEGABYTE] * 1000
    failed(site, tmp_path, "the connection broke off")
    assert len(site.requests) < 20
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith(".set.zip")
    site.drops = []
    assert arrived(site, tmp_path) == CONTENT


def test_attempts_continue_as_long_as_each_brings_bytes(site, tmp_path):
    site.drops = [600_000, *[0, 600_000] * 4]
    with pytest.raises(DatasetError, match="broke off"):
        fetch(archive_at(site), tmp_path / "without", pauses=())
    site.drops = [600_000, *[0, 600_000] * 4]
    assert fetch(archive_at(site), tmp_path, pauses=(0.0,)).read_bytes() == CONTENT
    assert len(site.resumed) == 5  # of half a megabyte each, and the last bytes


def test_a_killed_process_is_resumed_by_the_next(site, tmp_path):
    site.hangs_after = 2 * MEGABYTE
    code = (
        "import sys; from pathlib import Path; from metabin.data.acquisition.fetch import fetch\n"
        "from metabin.data.readers.archive import Archive\n"
        "fetch(Archive('set.zip', sys.argv[1], 'none', sys.argv[2]), Path(sys.argv[3]), lambda *_: print(flush=True))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, site.url, MD5, tmp_path], stdout=subprocess.PIPE)
    for _ in range(4):  # pieces of half a megabyte
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (partial,) = tmp_path.iterdir()
    size = partial.stat().st_size
    assert 0 < size < len(CONTENT)
    site.hangs_after = None
    assert arrived(site, tmp_path) == CONTENT
    assert site.resumed == [f"bytes={size}-"]


def test_a_partial_file_longer_than_the_archive_is_discarded(site, tmp_path):
    (tmp_path / ".set.zipabcdefgh.part").write_bytes(CONTENT + b"more")
    assert arrived(site, tmp_path) == CONTENT


@pytest.mark.bad_input("archive")
def test_a_wrong_checksum_is_refused_and_the_file_removed(site, tmp_path):
    failed(site, tmp_path, f"the downloaded file has the md5 {MD5[4:]}, expected 0123", checksum="md5:0123")
    assert list(tmp_path.iterdir()) == []
    assert arrived(site, tmp_path, checksum=f"sha256:{SHA256}") == CONTENT


def test_without_a_published_checksum_the_first_download_s_is_recorded_and_compared(site, tmp_path):
    assert arrived(site, tmp_path, checksum="") == CONTENT
    assert (tmp_path / "set.zip.sha256").read_text() == f"{SHA256}  set.zip\n"
    (tmp_path / "set.zip").unlink()
    assert arrived(site, tmp_path, checksum="") == CONTENT
    (tmp_path / "set.zip").unlink()
    site.content = CONTENT[::-1]
    failed(site, tmp_path, f"expected {SHA256} as in .*set.zip.sha256 of an earlier download; remove", checksum="")
    (tmp_path / "set.zip.sha256").unlink()
    assert arrived(site, tmp_path, checksum="") == CONTENT[::-1]


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("start", ["<!DOCTYPE html>\n<html>", "\n<HTML lang=en>", "<?xml version='1.0'?><html>"])
def test_a_web_page_is_refused_by_its_title(site, tmp_path, start):
    page = f"{start}<head><title>Sign\n in</title></head></html>".encode()
    site.pages["/set.zip"] = ("text/html", page)
    failed(site, tmp_path, "the server sent a web page, 'Sign in'", checksum="")
    assert list(tmp_path.iterdir()) == []


def test_a_dead_link_is_not_tried_again(site, tmp_path):
    site.statuses = [404]
    failed(site, tmp_path, "404 Client Error")
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_tried_again(site, tmp_path, status):
    site.statuses = [status, status]
    assert arrived(site, tmp_path) == CONTENT
    assert len(site.requests) == 3
    site.statuses = [status] * 9
    failed(site, tmp_path / "other", f"{status} Server Error" if status >= 500 else "429 Client Error")
    assert len(site.requests) == 3 + 4


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("declares_size", [True, False])
def test_a_file_that_is_too_large_is_refused_before_it_fills_the_disk(site, tmp_path, declares_size):
    site.declares_size = declares_size
    failed(site, tmp_path, "it is larger than 1,000,000 bytes", max_bytes=1_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Site(CONTENT)) as site:
        pass
    failed(site, tmp_path, "Connection refused")


def test_a_folder_that_cannot_be_written_is_named(site, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="file/set.zip cannot be written"):
        arrived(site, tmp_path / "file")


DRIVE = "https://drive.google.com/file/d/0B8-rUzbwVRk0c054eEozWG9COHM/view"
QUOTA = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    b'<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
    b'<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p></body></html>'
)
CONFIRM = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    b'<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    b'<input type="hidden" name="id" value="0B8"><input type="hidden" name="confirm" value="t"></form></body></html>'
)


@pytest.fixture
def drive(site, monkeypatch):
    """Google Drive, as far as these tests go, on this machine."""
    send = requests.Session.send
    host = site.url.removesuffix("/set.zip")

    def send_here(session, request, **options):
        request.url = request.url.replace("https://drive.google.com", host)
        request.url = request.url.replace("https://drive.usercontent.google.com", host)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", send_here)
    site.url = DRIVE
    return site


def test_drives_page_of_an_exceeded_quota_is_reported_and_leaves_nothing(drive, tmp_path):
    drive.pages["/uc"] = ("text/html", QUOTA)
    failed(drive, tmp_path, "Too many users have viewed or downloaded this file recently")
    assert list(tmp_path.iterdir()) == []


def test_drives_question_about_a_large_file_is_answered_and_the_file_resumed(drive, tmp_path):
    drive.pages["/uc"] = ("text/html", CONFIRM)
    drive.drops = [len(CONFIRM), MEGABYTE]
    assert arrived(drive, tmp_path) == CONTENT
    assert drive.resumed == [f"bytes={MEGABYTE}-"]
    assert ("/download?id=0B8&confirm=t", None) in drive.requests


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_archive_has_a_valid_address_and_a_licence(name):
    archive = ARCHIVES[name]
    drive_id, _ = gdown.parse_url.parse_url(url=archive.url)
    assert bool(drive_id) == ("drive.google.com" in archive.url)
    assert archive.url.endswith(f"/{archive.file}") or drive_id
    assert archive.licence
    algorithm, _, value = archive.checksum.partition(":")
    assert (algorithm, len(value)) in {("", 0), ("md5", 32), ("sha256", 64)}


def test_the_sets_that_may_be_fetched_are_these_and_no_withdrawn_one():
    assert set(ARCHIVES) == {"market1501", "viper", "grid", "ilids", "randperson", "clonedperson", "personx"}


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize(
    ("checksum", "record", "is_fetched"),
    [("", None, False), (MD5, None, True), ("", f"{SHA256}  set.zip\n", True), ("", "0" * 64, False)],
    ids=["unknown", "published", "known to the user", "another"],
)
def test_plain_http_needs_a_checksum_that_is_known_beforehand(
    site, tmp_path, monkeypatch, checksum, record, is_fetched
):
    """The server stands for anybody on the way who answers instead of the owner."""
    monkeypatch.setattr("metabin.data.acquisition.fetch.THIS_MACHINE", ())
    if record:
        (tmp_path / "set.zip.sha256").write_text(record)
    if is_fetched:
        assert arrived(site, tmp_path, checksum=checksum) == CONTENT
        return
    with pytest.raises(DatasetError, match="plain http, and no checksum" if record is None else "has the sha256"):
        arrived(site, tmp_path, checksum=checksum)
    assert not (tmp_path / "set.zip").exists()
    assert bool(site.requests) == bool(record)  # without a checksum, nothing is asked for


@pytest.mark.parametrize("is_known", [False, True])
def test_a_redirect_from_tls_to_plain_http_needs_a_known_checksum_too(site, tmp_path, monkeypatch, is_known):
    host = site.url.removesuffix("/set.zip")
    send = requests.Session.send

    def send_here(session, request, **options):
        """Let the server of the test be both, that of the owner and the one that answers instead."""
        request.url = request.url.replace("https://owner.example", host).replace("http://mirror.example", host)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", send_here)
    site.redirects = {"/set.zip": "http://mirror.example/copy.zip"}
    site.url = "https://owner.example/set.zip"
    if is_known:
        assert arrived(site, tmp_path) == CONTENT
        return
    message = (
        "set.zip is not fetched from https://owner.example/set.zip: the server redirects to "
        "http://mirror.example/copy.zip, and it comes over plain http, and no checksum is published"
    )
    with pytest.raises(DatasetError, match=re.escape(message)):
        arrived(site, tmp_path, checksum="")
    assert [path for path, _ in site.requests] == ["/set.zip"]
    assert list(tmp_path.iterdir()) == []
    assert requests.Session.send is send_here


def test_every_archive_of_the_catalogue_comes_over_tls_or_says_what_to_do(tmp_path):
    plain = {name for name, archive in ARCHIVES.items() if archive.url.startswith("http://")}
    assert plain == {"viper", "grid", "ilids"}
    assert ARCHIVES["viper"].checksum
    for name in ("grid", "ilids"):
        archive = ARCHIVES[name]
        message = f"write it into {tmp_path / archive.file}.sha256; or download the file with a web browser"
        with pytest.raises(DatasetError, match=message):
            fetch(archive, tmp_path)
