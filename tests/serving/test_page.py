"""The page in a real browser, run by `make test-web`."""

import base64
import shutil
import socket
import time
from urllib.parse import urlsplit

import commands
import numpy as np
import pytest
from networks import lively_model, write_run

from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.media.images import read_image, write_image

pytestmark = pytest.mark.web

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 120_000  # ms
DROP = """(target, [name, content]) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""

NAMED_HOSTS = """() => [...document.querySelectorAll("link[href], script[src]")].map(
  (element) => new URL(element.href || element.src).hostname)"""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return write_run(lively_model("SR-EDRB1"), tmp_path_factory.mktemp("weights") / "run")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the server keeps files."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def url(run_dir, kept):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = (f"--run_dir={run_dir}", f"--port={port}", "--max_megapixels=1")
    process = commands.start("srn_tf.web", *flags, TMPDIR=str(kept))
    try:
        commands.wait_for(process, "shows the page")
        yield f"http://127.0.0.1:{port}/"
        process.terminate()
        assert process.wait(30) == 0
        assert not list(kept.glob("srn_tf-*"))
    finally:
        process.kill()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, url):
    """A function that opens the page as a new visitor."""
    contexts = []

    def open_page():
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        page.get_by_text("Drop File Here").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def photograph(path, height, width, channels=3):
    """A blocky picture, so that its PNG is small."""
    shape = (height // 8 + 1, width // 8 + 1, channels)
    small = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_image(path, np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width])
    return path


def drop(page, path):
    content = base64.b64encode(path.read_bytes()).decode()
    page.get_by_text("Drop File Here").evaluate(DROP, [path.name, content])


def result(page):
    return page.locator("img[src*=_deblurred]")


def press_and_wait_for_another_picture(page):
    first = result(page).get_attribute("src")
    page.get_by_role("button", name="Deblur", exact=True).click()
    page.wait_for_function(
        "first => { const image = document.querySelector('img[src*=_deblurred]');"
        " return image && image.src !== first && image.naturalWidth === 101; }",
        arg=first,
    )


def wait_until_nothing_is_kept(kept):
    """Waits for the server to notice that all have left; Gradio's own files there are empty."""
    for _ in range(100):
        paths = [path for folder in kept.glob("srn_tf-*") for path in folder.rglob("*")]
        files = [path for path in paths if path.is_dir() or path.stat().st_size]
        if not files:
            return
        time.sleep(0.1)
    raise AssertionError(files)


def test_a_dropped_photograph_comes_back_deblurred(tmp_path, visit, run_dir, kept):
    page = visit()
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.reload()
    page.get_by_text("Drop File Here").wait_for()
    path = photograph(tmp_path / "holiday.png", 75, 101)
    drop(page, path)
    result(page).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    assert download.value.suggested_filename == "holiday_deblurred.png"
    download.value.save_as(tmp_path / "deblurred.png")
    deblurred = read_image(tmp_path / "deblurred.png")
    expected = Deblurrer.from_run_dir(run_dir)(read_image(path))
    assert deblurred.shape == (75, 101, 3)
    np.testing.assert_allclose(deblurred.astype(int), expected, rtol=0, atol=1)
    for picture in page.locator("img[src*=holiday_]").all():
        assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [101, 75]
    assert hosts - {None} == {"127.0.0.1"}  # None: data and blob URLs
    assert set(page.evaluate(NAMED_HOSTS)) == {"127.0.0.1"}
    page.close()
    wait_until_nothing_is_kept(kept)


def test_the_button_makes_another_picture(tmp_path, visit):
    page = visit()
    drop(page, photograph(tmp_path / "holiday.png", 75, 101))
    result(page).wait_for()
    press_and_wait_for_another_picture(page)


def test_what_deblur_refuses_is_refused_with_its_line(tmp_path, visit):
    photograph(tmp_path / "large.png", 1001, 1000)
    (tmp_path / "clip.txt").write_text("text")
    (tmp_path / "text.png").write_text("text")
    for name, line in {
        "large.png": "large.png has 1.0 megapixels, more than --max_megapixels=1",
        "clip.txt": "Invalid file type",
        "text.png": "text.png is not a readable image: none of PNG, JPEG",
    }.items():
        page = visit()
        drop(page, tmp_path / name)
        page.get_by_text(line).wait_for()
        assert result(page).count() == 0
        assert page.get_by_role("button", name="Download PNG").is_disabled()


def test_a_second_visitor_waits_and_is_served(tmp_path, visit):
    first, second = visit(), visit()
    drop(first, photograph(tmp_path / "first.png", 800, 1000))
    first.get_by_text("Deblurring").wait_for()
    drop(second, photograph(tmp_path / "second.png", 50, 60))
    second.get_by_text("queue: 1/1").wait_for()
    assert result(first).count() == 0
    result(second).wait_for()
    assert result(first).count() == 1


def test_equal_photographs_of_two_visitors_are_two_files(tmp_path, visit):
    first, second, path = visit(), visit(), photograph(tmp_path / "holiday.png", 75, 101)
    for page in (first, second):
        drop(page, path)
        result(page).wait_for()
    first.close()
    press_and_wait_for_another_picture(second)


def test_who_leaves_does_not_keep_others_waiting(tmp_path, visit, kept):
    first, second = visit(), visit()
    drop(first, photograph(tmp_path / "first.png", 800, 1000))
    first.get_by_text("Deblurring").wait_for()
    first.close()
    drop(second, photograph(tmp_path / "second.png", 50, 60))
    result(second).wait_for()
    second.close()
    wait_until_nothing_is_kept(kept)


def test_another_photograph_takes_the_place_of_the_first(tmp_path, visit):
    page = visit()
    drop(page, photograph(tmp_path / "first.png", 800, 1000))
    page.get_by_text("Deblurring").wait_for()
    page.get_by_label("Clear").click()
    drop(page, photograph(tmp_path / "second.png", 50, 60))
    page.locator("img[src*=second_deblurred]").wait_for()


def test_only_this_machine_sees_the_page(url):
    port = urlsplit(url).port
    socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):  # 0.0.0.0 would listen there too
        socket.create_connection(("127.0.0.2", port))


def test_a_taken_port_is_named(url, run_dir):
    port = urlsplit(url).port
    status, output = commands.run("srn_tf.web", f"--run_dir={run_dir}", f"--port={port}")
    assert status == 1
    (line,) = output.splitlines()
    assert line.startswith(f"error: 127.0.0.1:{port} cannot be bound to")
