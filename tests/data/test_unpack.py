"""Archives: complete, damaged and malicious ones."""

import gzip
import io
import random
import shutil
import struct
import tarfile
import zipfile

import pytest

from metabin.data.acquisition.unpack import _WithoutPadding, unpack
from metabin.errors import DatasetError

FILES = {"set/a.jpg": b"a" * 3000, "set/deep/b.jpg": random.Random(0).randbytes(5000), "readme.txt": b""}
TAR_MODES = {"tar": "w", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def write_zip(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write(folder, kind, files=FILES):
    """An archive of a kind: "zip" or one of TAR_MODES."""
    path = folder / f"set.{kind}"
    return write_zip(path, files) if kind == "zip" else write_tar(path, files, TAR_MODES[kind])


def unpacked(archive, max_bytes=1 << 20, max_files=100, **options):
    unpack(archive, archive.parent / "out", max_bytes=max_bytes, max_files=max_files, **options)
    return {
        path.relative_to(archive.parent / "out").as_posix(): path.read_bytes()
        for path in (archive.parent / "out").rglob("*")
        if path.is_file()
    }


def refused(archive, message, **limits):
    """Check that the archive is refused and leaves nothing, in the folder or above."""
    before = sorted(path.name for path in archive.parent.iterdir())
    above = sorted(path.name for path in archive.parent.parent.iterdir())
    with pytest.raises(DatasetError, match=message):
        unpacked(archive, **limits)
    assert sorted(path.name for path in archive.parent.iterdir()) == before
    assert sorted(path.name for path in archive.parent.parent.iterdir()) == above


@pytest.mark.parametrize("kind", ["zip", *TAR_MODES])
def test_files_come_out_as_they_went_in_and_all_of_the_archive_is_reported(tmp_path, kind):
    archive = write(tmp_path, kind)
    steps = []
    assert unpacked(archive, on_bytes=steps.append) == FILES
    assert sum(steps) == archive.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", archive.name]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_the_name_of_an_archive_does_not_matter(tmp_path, kind):
    archive = write(tmp_path, kind)
    assert unpacked(archive.rename(tmp_path / "download.php")) == FILES


def test_an_existing_target_stays_and_a_leftover_does_not(tmp_path):
    archive = write(tmp_path, "zip")
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "old.jpg").write_bytes(b"old")
    assert unpacked(archive) == FILES
    archive.write_bytes(b"no archive any more")
    (tmp_path / "out" / "readme.txt").write_bytes(b"edited")
    assert unpacked(archive)["readme.txt"] == b"edited"


EVIL = ["../evil.jpg", "a/../../evil.jpg", "/tmp/evil.jpg", "C:/evil.jpg", "c:evil.jpg", "..\\evil.jpg", "a\\b.jpg"]


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, kind, name):
    (tmp_path / "in").mkdir()
    refused(
        write(tmp_path / "in", kind, {"good.jpg": b"x", name: b"evil"}), r"(evil|b)\.jpg' in it leads out of the folder"
    )


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("set/evil")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.addfile(member)
    refused(tmp_path / "set.tar", "'set/evil' in it is a link or a device")


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010644], ids=["link", "device", "pipe"])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, mode):
    info = zipfile.ZipInfo("set/evil")
    info.external_attr = mode << 16
    refused(write_zip(tmp_path / "set.zip", {info: b"/etc/passwd"}), "'set/evil' in it is a link or a device")


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_files_are_counted_while_they_are_written(tmp_path, kind):
    bomb = write(tmp_path, kind, {"zeros.jpg": bytes(20 << 20)})
    assert bomb.stat().st_size < 100_000
    refused(bomb, "unpacks to more than 1,048,576 bytes")
    many = write(tmp_path, kind, {f"{index}.jpg": b"" for index in range(11)})
    refused(many, "more than 10 files", max_files=10)
    assert len(unpacked(many, max_files=11)) == 11


@pytest.mark.bad_input("archive")
def test_a_size_that_a_zip_declares_too_small_is_not_believed(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"zeros.jpg": bytes(20 << 20)})
    content = path.read_bytes()
    assert content.count(struct.pack("<I", 20 << 20)) == 2  # in the header of the file, and in the directory
    path.write_bytes(content.replace(struct.pack("<I", 20 << 20), struct.pack("<I", 10)))
    refused(path, r"cannot be unpacked \(BadZipFile: Bad CRC-32 for file 'zeros.jpg'\)")


@pytest.mark.bad_input("archive")
def test_a_header_that_claims_gigabytes_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 8 << 30
    (tmp_path / "set.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16))
    refused(tmp_path / "set.tar", "a header of 8,589,934,592 bytes")


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("kind", ["zip", *TAR_MODES])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_an_archive_that_ends_early_is_refused(tmp_path, kind, share):
    archive = write(tmp_path, kind)
    content = archive.read_bytes()
    if kind == "tar":  # two thirds of this one are padding behind the end
        content = content[: content.rindex(b"readme.txt") + 1024]
    archive.write_bytes(content[: int(share * len(content))])
    refused(archive, "cannot be unpacked .*: it is damaged, ends early, or is no zip or tar")


@pytest.mark.bad_input("archive")
def test_a_tar_that_ends_between_two_files_is_refused(tmp_path):
    archive = write(tmp_path, "tar")
    archive.write_bytes(archive.read_bytes()[: 512 + 3072])  # the first file is complete
    refused(archive, "no end-of-archive mark")


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_changed_byte_is_found(tmp_path, kind):
    archive = write(tmp_path, kind, {"noise.jpg": random.Random(1).randbytes(50_000)})
    content = bytearray(archive.read_bytes())
    content[25_000] ^= 1
    archive.write_bytes(content)
    refused(archive, "cannot be unpacked")


@pytest.mark.bad_input("archive")
def test_an_encrypted_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"set/a.jpg": b"secret"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + offset] |= 1
    path.write_bytes(content)
    refused(path, "'set/a.jpg' in it is encrypted")


NO_ARCHIVES = {
    "nothing": b"",
    "page": b"<!DOCTYPE html><html><title>Not here</title></html>",
    "seven": b"7z\xbc\xaf\x27\x1c" + bytes(600),
    "zeros": bytes(10240),
    "gz": b"\x1f\x8b" + bytes(600),
    "zip": b"PK\5\6" + bytes(18),
}


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_an_empty_archive_and_other_files_are_refused(tmp_path, content):
    (tmp_path / "set.zip").write_bytes(content)
    refused(tmp_path / "set.zip", "set.zip (cannot be unpacked|is empty)")


@pytest.mark.bad_input("archive")
@pytest.mark.parametrize("names", [("a.jpg", "a.jpg"), ("a", "a/b.jpg"), ("a/b.jpg", "a")])
def test_a_file_that_appears_twice_is_refused(tmp_path, names):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    refused(tmp_path / "set.tar", "appears twice|cannot be written")


@pytest.mark.bad_input("archive")
def test_a_target_that_cannot_be_written_and_an_archive_that_cannot_be_read_are_named(tmp_path):
    archive = write(tmp_path, "zip")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="file/out cannot be written"):
        unpack(archive, tmp_path / "file" / "out", max_bytes=1 << 20, max_files=10)
    with pytest.raises(DatasetError, match="nowhere.zip cannot be unpacked"):
        unpack(tmp_path / "nowhere.zip", tmp_path / "out", max_bytes=1 << 20, max_files=10)


def test_an_interrupted_unpacking_leaves_nothing(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpacked(write(tmp_path, "zip"), on_bytes=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_zeros_behind_the_end_of_a_gzip_are_not_read(tmp_path, monkeypatch):
    """As a disk or a tape pads a file: Python's gzip takes 80 s to skip 300 MB, byte by byte."""
    archive = write(tmp_path, "tgz")
    with archive.open("ab") as file:
        file.truncate(1 << 32)  # sparse: it takes no space
    read = []
    original = _WithoutPadding.read

    def count(self, size=-1):
        content = original(self, size)
        read.append(len(content))
        return content

    monkeypatch.setattr(_WithoutPadding, "read", count)
    assert unpacked(archive) == FILES
    assert sum(read) < 1 << 20


@pytest.mark.bad_input("archive")
def test_much_content_behind_the_end_of_a_tar_is_refused_without_reading_it(tmp_path):
    archive = write(tmp_path, "tgz")
    with gzip.open(archive) as file:
        content = file.read()
    for padding, is_refused in ((500_000, False), (3_000_000, True)):
        archive.write_bytes(gzip.compress(content + bytes(padding)))
        if is_refused:
            refused(archive, r"ReadError: more than 1,048,576 bytes behind its end")
        else:
            assert unpacked(archive) == FILES
            shutil.rmtree(tmp_path / "out")


def test_zeros_in_a_gzip_without_compression_and_in_the_first_of_two_are_content(tmp_path):
    files = {"zeros": bytes(900_000), "a.jpg": b"a"}
    tar = write(tmp_path, "tar", files).read_bytes()
    archive = tmp_path / "set.tgz"
    archive.write_bytes(gzip.compress(tar[:500_000], 0) + gzip.compress(tar[500_000:], 0))
    assert unpacked(archive) == files
