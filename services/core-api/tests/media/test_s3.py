"""Packages and captions in object storage, on a real S3 API server."""

from __future__ import annotations

import io
import shutil

import boto3
import pytest
from archives.checking import check_archive
from archives.errors import FilesMissing, StoreAway
from archives.exporting import make_export, stream
from archives.importing import do_import
from s3_server import BUCKET, REGION, over_tls, s3_server

from config.problems import Unavailable
from media import actions, s3_store, storage
from media.actions import Outcome, do_add_video, do_package, do_set_caption
from media.models import Package, VideoAsset
from media.s3_store import S3Store
from media.stores import StoreFailed, store
from tests.factories import make_course, make_lesson

Status = VideoAsset.Status
pytestmark = pytest.mark.usefixtures("media_root")


@pytest.fixture(scope="module")
def endpoint():
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(endpoint, settings):
    """A client of the emptied bucket, which is where videos go."""
    settings.MEDIA_STORAGE, settings.S3_ENDPOINT_URL, settings.S3_BUCKET = "s3", endpoint, BUCKET
    settings.S3_CA_BUNDLE = ""
    settings.S3_REGION, settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = REGION, "key", "made-up"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="key", aws_secret_access_key="made-up"
    )
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    yield client
    client.close()


def keys(client, prefix=""):
    return sorted(found["Key"] for found in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []))


def parts(client):
    return client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


@pytest.fixture
def lesson(database):
    return make_lesson(make_course(lessons=0).sections.get(), kind="video")


@pytest.fixture
def sealed(package, tmp_path):
    """A copy of a package that is ready to be put somewhere, and its facts."""
    return shutil.copytree(package[1], tmp_path / "sealed"), package[2]


def test_a_video_is_packaged_into_the_bucket(s3, lesson, clip, media_root):
    asset = do_add_video(lesson, clip)
    assert do_package(asset.id) is Outcome.SETTLED
    package = Package.objects.get()
    found = keys(s3)
    assert {f"{package.path}/{name}" for name in ("package.json", "master.m3u8", "poster.jpg")} <= set(found)
    assert all(key.startswith(f"{package.path}/") for key in found)
    served = s3.get_object(Bucket=BUCKET, Key=f"{package.path}/master.m3u8")
    assert served["ContentType"] == "application/vnd.apple.mpegurl"
    assert b"video-108.m3u8" in served["Body"].read()
    assert [path for path in media_root.rglob("*") if path.is_file()] == []  # nothing stays here
    assert storage.finished(asset.id)[0] == package.path


def test_captions_go_there_too(s3, lesson, media_root):
    caption = do_set_caption(lesson, "en", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    assert keys(s3) == [caption.path]
    assert s3.get_object(Bucket=BUCKET, Key=caption.path)["Body"].read().startswith(b"WEBVTT")
    assert not media_root.exists()


def test_large_files_go_in_parts(s3, sealed, monkeypatch):
    folder, facts = sealed
    with (folder / "progressive.mp4").open("r+b") as file:
        file.truncate(6 * 2**20)
    here = store()
    monkeypatch.setattr(here, "_transfer", s3_store.TransferConfig(multipart_threshold=2**20, use_threads=False))
    here._upload([folder / "progressive.mp4"], "packages/a/b")
    etag = s3.head_object(Bucket=BUCKET, Key="packages/a/b/progressive.mp4")["ETag"]
    assert etag.strip('"').partition("-")[2], "it went in one"
    assert facts.size_bytes


@pytest.mark.parametrize("upload", [3, -1], ids=["early", "package.json"])
def test_an_upload_that_breaks_off_leaves_no_package(s3, sealed, monkeypatch, upload):
    folder, _facts = sealed
    uploads = []
    put = S3Store._put_file

    def breaks(self, file, path):
        uploads.append(file.name)
        if len(uploads) == upload or (upload < 0 and file.name == "package.json"):
            raise StoreFailed("cable pulled")
        put(self, file, path)

    monkeypatch.setattr(S3Store, "_put_file", breaks)
    with pytest.raises(StoreFailed, match="cable pulled"):
        store().put(folder, "packages/a/b")
    assert keys(s3) == []


def test_what_a_killed_packager_left_is_no_package_and_is_cleared_by_the_next(s3, lesson, clip):
    asset = do_add_video(lesson, clip)
    half = f"packages/{asset.id}/0123456789abcdef"
    s3.put_object(Bucket=BUCKET, Key=f"{half}/video-108-00000.m4s", Body=b"half")
    s3.create_multipart_upload(Bucket=BUCKET, Key=f"{half}/progressive.mp4")
    assert storage.finished(asset.id) is None
    assert do_package(asset.id) is Outcome.SETTLED
    assert keys(s3, half) == []
    assert parts(s3) == []
    assert Package.objects.get().path != half


def test_killed_between_upload_and_database_the_package_is_found_again(s3, lesson, clip, monkeypatch):
    asset = do_add_video(lesson, clip)

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(actions, "_publish", die)
        with pytest.raises(KeyboardInterrupt):
            do_package(asset.id)
    before = keys(s3)
    assert do_package(asset.id) is Outcome.SETTLED
    assert keys(s3) == before


def test_a_package_that_lacks_an_object_is_none(s3, lesson, clip):
    asset = do_add_video(lesson, clip)
    do_package(asset.id)
    s3.delete_object(Bucket=BUCKET, Key=f"{Package.objects.get().path}/poster.jpg")
    assert storage.finished(asset.id) is None


def test_a_store_that_is_away_fails_the_video_with_the_reason(s3, lesson, clip, settings, monkeypatch):
    asset = do_add_video(lesson, clip)
    settings.S3_BUCKET = "nowhere"
    outcomes = [do_package(asset.id) for _ in range(3)]
    assert outcomes == [Outcome.AGAIN, Outcome.AGAIN, Outcome.SETTLED]
    asset.refresh_from_db()
    assert (asset.status, asset.error) == (Status.FAILED, actions.STORE_AWAY)
    with pytest.raises(Unavailable):
        do_set_caption(lesson, "en", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n")


def test_a_store_that_is_away_is_not_taken_for_a_full_disk_or_a_lost_file(s3, lesson, ines, settings):
    course = lesson.section.course
    caption = do_set_caption(lesson, "en", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    archive = io.BytesIO(b"".join(stream(make_export(course))))
    before = keys(s3)
    settings.S3_BUCKET = "nowhere"
    with pytest.raises(StoreAway, match="did not answer"):
        do_import(check_archive(archive)[0], ines)
    with pytest.raises(StoreAway, match="did not answer"):
        make_export(course)
    settings.S3_BUCKET = BUCKET
    assert keys(s3) == before
    assert do_import(check_archive(archive)[0], ines).sections.get().lessons.get().captions.get().language == "en"
    s3.delete_object(Bucket=BUCKET, Key=caption.path)
    with pytest.raises(FilesMissing):
        make_export(course)


def test_over_https_the_store_has_to_show_a_certificate_of_the_authorities_named(s3, endpoint, settings, tmp_path):
    with over_tls(endpoint, tmp_path) as (secure, authorities, names):
        settings.S3_ENDPOINT_URL, settings.S3_CA_BUNDLE = secure, str(authorities)
        store().write("captions/a/en-1.vtt", b"WEBVTT")
        assert b"".join(store().read("captions/a/en-1.vtt")) == b"WEBVTT"
        assert set(names) == {"localhost"}
        settings.S3_CA_BUNDLE = ""
        with pytest.raises(StoreFailed, match="CERTIFICATE_VERIFY_FAILED"):
            store().write("captions/a/en-2.vtt", b"WEBVTT")
    assert keys(s3) == ["captions/a/en-1.vtt"]


def test_removal_takes_all_below_and_nothing_beside(s3):
    for key in ("packages/a/1/package.json", "packages/a/2/x.mp4", "packages/ab/1/x.mp4"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert sorted(store().children("packages")) == ["a", "ab"]
    store().remove("packages/a")
    assert keys(s3) == ["packages/ab/1/x.mp4"]
    store().remove("packages/a")  # nothing there is well too
