"""The pages of files."""

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.rootstock.files import hostile as h


def upload(browser, content: bytes = b"a,b\n", name: str = "a.csv", purpose: str = "import"):
    return browser.post(
        "/files/", {"purpose": purpose, "file": SimpleUploadedFile(name, content)}, follow=True
    )


def test_it_works(world) -> None:
    browser = world.browser(world.owner)
    page = upload(browser)
    address = page.redirect_chain[-1][0]
    assert "1 rows of 2 columns" in page.content.decode()
    assert "a.csv" in browser.get("/files/").content.decode()
    content = browser.get(f"{address}content/")
    assert b"".join(content.streaming_content) == b"a,b\n"
    assert content["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert browser.post(f"{address}delete/", follow=True).status_code == 200
    assert browser.get(address).status_code == 404


def test_what_was_refused_is_told(world) -> None:
    browser = world.browser(world.owner)
    page = upload(browser, h.zip_link(), "a.zip").content.decode()
    assert "Refused:" in page
    assert "a link or a device" in page
    assert "Download" not in page
    too_large = upload(browser, b"x", purpose="party").content.decode()
    assert "That file was not taken" in too_large


def test_readers_and_strangers(world) -> None:
    address = upload(world.browser(world.owner)).redirect_chain[-1][0]
    auditor, stranger = world.browser(world.colleague), world.browser(world.stranger)
    assert auditor.get(address).status_code == 200
    assert "Drop" not in auditor.get("/files/").content.decode()
    assert upload(auditor).status_code == 403
    assert auditor.post(f"{address}delete/").status_code == 403
    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}content/").status_code == 404
