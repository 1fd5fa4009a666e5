"""The report as a browser shows it: whole, by itself, sortable, readable on a phone, in the dark, without scripts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browsers import CONTRASTS, needs_browser
from mma4ctr.cli import UserError
from mma4ctr.report import html as report
from mma4ctr.report import plots
from mma4ctr.report.model import Cell, Finding, Picture, Report, Section, Table

PHONE = {"width": 390, "height": 844}
AUCS = (0.75, None, -0.5, 10.0, 9.0, None, 0.123456)


def wide_table() -> Table:
    """Return a table wider than any screen, with blanks, details, marks and words."""
    columns = ("setting", "AUC", "words", *(f"a long head of column {number}" for number in range(20)))
    words = ("run10", "run9", "", "<b>bold</b> & more", "a path/" * 20, "", "run1")
    rows = tuple(
        (Cell(f"row_number={number}"),
         Cell("" if auc is None else f"{auc:.4f}", auc, () if auc is None else ("[0.7, 0.8]", "± 0.01"), "*"),
         Cell(text), *(Cell(f"{number}.{k}", number + k / 100) for k in range(20)))
        for number, (auc, text) in enumerate(zip(AUCS, words, strict=True))
    )  # fmt: skip
    return Table("Wide", columns, rows, "* a mark & its note")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report with everything that a report can have."""
    folder = tmp_path_factory.mktemp("pictures")
    names = ('one & "two"', "<three>")
    for k, width in enumerate((plots.COLUMN, plots.PAGE)):
        figure, ((axes,),) = plots.figure(width)
        plots.line(axes, (0, 1), (k, 1), k, "line")
        plots.save(figure, folder, f"figure_{k}")
    pictures = tuple(Picture(folder / f"figure_{k}.svg", name) for k, name in enumerate(names))
    small = Table("Small", ("what", "value", "blank"), ((Cell("x"), Cell("1", 1.0), Cell("")),))
    folded = dataclasses.replace(small, title="Tables & <figures>, folded", folded=True)
    sections = (
        Section("Tables & <figures>", ("A paragraph. " * 20, "</script><script>alert(1)</script>"),
                (wide_table(), small, folded), pictures),
        Section("Found", findings=(Finding("a task", (("A <lead>", "What was found."),)),), main=pictures[:1]),
        Section("An empty table", tables=(Table("Empty", ("nothing", "at all"), ()),)),
        Section("Commands", ("Typed.",), commands=("python viewer.py --paths " + "a/long/path/" * 30, "make demo")),
    )  # fmt: skip
    return Report("A <report>", "of made up figures", "These are not real: & so on.", sections)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, made: Report) -> Path:
    """The file of that report, in a folder of its own."""
    return report.write(made, tmp_path_factory.mktemp("report") / "saved" / "report.html")


@pytest.fixture
def show(browser: Browser, page_file: Path) -> Iterator:
    """A function that opens the report with some settings of a browser, and fails on complaints and requests."""
    contexts, complaints, requests = [], [], []

    def opened(**settings: object) -> Page:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert requests
    assert [url for url in requests if url != page_file.as_uri() and not url.startswith("data:")] == []


def column(page: Page, number: int) -> list[str]:
    """Return the figures of a column of the wide table, from the top."""
    cells = page.locator(f"table >> nth=0 >> tbody > tr > :nth-child({number + 1})")
    return cells.evaluate_all("cells => cells.map((cell) => cell.querySelector('.words')?.textContent ?? '')")


@needs_browser
def test_everything_is_drawn_and_nothing_is_fetched(show) -> None:
    page = show()
    assert page.title() == page.locator("h1").inner_text() == "A <report>"
    assert "not real: &" in page.get_by_role("note").inner_text()
    images = page.locator("img").evaluate_all("all => all.map((image) => [image.naturalWidth, image.alt])")
    assert [alt for _, alt in images] == ['one & "two"', "<three>", 'one & "two"']
    assert all(width > 0 for width, _ in images)
    assert page.locator("b").count() == 0
    assert not page.locator("pre").is_visible()
    page.get_by_text("2 commands").click()
    assert page.locator("pre").inner_text().endswith("\nmake demo")
    targets = page.locator("nav a").evaluate_all("all => all.map((a) => document.querySelector(a.hash)?.innerText)")
    titles = [
        "Tables & <figures>",
        "Wide",
        "Small",
        "Tables & <figures>, folded",
        "Found",
        "An empty table",
        "Commands",
    ]
    assert targets == titles
    assert page.locator("nav a >> nth=3").inner_text() == "Folded"
    assert page.get_by_role("columnheader", name="blank").count() == 0
    assert page.locator("dl").inner_text().split("\n") == ["A <lead>", "What was found."]
    assert page.locator("table >> nth=0 >> .second").count() == 5
    assert page.locator("td.number").first.evaluate("cell => getComputedStyle(cell).textAlign") == "right"


@needs_browser
def test_heads_sort_numbers_both_ways_with_blanks_last(show) -> None:
    page = show()
    head = page.get_by_role("columnheader", name="AUC", exact=True)
    before = column(page, 1)
    up = ["-0.5000", "0.1235", "0.7500", "9.0000", "10.0000", "", ""]
    for order, wanted in (
        ("ascending", up), ("descending", [*up[4::-1], "", ""]), ("none", before), ("ascending", up),
    ):  # fmt: skip
        head.get_by_role("button").click()
        assert (head.get_attribute("aria-sort"), column(page, 1)) == (order, wanted)
    # Rows move as a whole, and words sort by their text: numbers in it by value, blanks last.
    assert column(page, 0)[0] == "row_number=2"
    words = page.get_by_role("columnheader", name="words", exact=True)
    words.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (words.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("ascending", "none")
    assert [text[:5] for text in column(page, 2)] == ["<b>bo", "a pat", "run1", "run9", "run10", "", ""]
    page.keyboard.press("Space")
    assert [text[:5] for text in column(page, 2)] == ["run10", "run9", "run1", "a pat", "<b>bo", "", ""]


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [768, 1440])
def test_the_page_is_never_wider_than_the_screen(show, scheme: str, width: int) -> None:
    page = show(viewport={**PHONE, "width": width}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    scrolled = page.locator(".scroll").first
    assert scrolled.evaluate("box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX") == "auto"
    # The first column stays where it is while the others are scrolled.
    scrolled.evaluate("box => box.scrollTo(500, 0)")
    first = page.locator("table >> nth=0 >> tbody th").first
    assert first.bounding_box()["x"] == pytest.approx(scrolled.bounding_box()["x"], abs=1)
    assert first.bounding_box()["width"] < width / 2


@needs_browser
@pytest.mark.parametrize("width", [320, 390])
def test_each_row_is_a_card_on_a_phone(show, width: int) -> None:
    page = show(viewport={**PHONE, "width": width})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator("table >> nth=0")
    boxes = [cell.bounding_box() for cell in table.locator("tbody tr").first.locator("th, td").all()]
    tops = [box["y"] for box in boxes]
    assert tops == sorted(tops) and len(set(tops)) == len(tops)  # below one another
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    head = "cell => getComputedStyle(cell, '::before').content"
    assert table.locator("tbody td").first.evaluate(head) == '"AUC"'
    assert table.locator("thead").bounding_box()["width"] <= 1
    blank = table.locator("tbody tr >> nth=1 >> td").first  # has no AUC
    assert not blank.is_visible()


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out(show, scheme: str) -> None:
    page = show(color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [text for text in found if text[0] < 4.5] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 28)")
    card = page.locator("figure img").first.evaluate("image => getComputedStyle(image).backgroundColor")
    assert card == "rgb(255, 255, 255)"


@needs_browser
def test_it_is_read_without_scripts(show) -> None:
    page = show(java_script_enabled=False)
    assert page.locator("table").count() == 4
    assert page.locator("th button").count() == 0
    assert page.get_by_role("columnheader", name="AUC", exact=True).is_visible()
    detail = page.get_by_text("± 0.01", exact=True).first
    assert not detail.is_visible()
    page.get_by_text("[0.7, 0.8]", exact=True).first.click()
    assert detail.is_visible()
    page.get_by_role("link", name="Commands").click()
    assert page.get_by_role("heading", name="Commands", exact=True).bounding_box()["y"] < page.viewport_size["height"]


@needs_browser
def test_it_prints_without_contents_and_arrows(show) -> None:
    page = show()
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator(".scroll").first.evaluate("box => getComputedStyle(box).overflowX") == "visible"


def test_equal_reports_are_equal_files(made: Report, page_file: Path, tmp_path: Path) -> None:
    assert report.write(made, tmp_path / "again.html").read_bytes() == page_file.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["again.html"]
    assert not re.search(r"""(src|href)="(?!data:|#)""", page_file.read_text())


def test_a_missing_picture_leaves_the_old_report(made: Report, tmp_path: Path) -> None:
    broken = Report("", "", "", (Section("", pictures=(Picture(tmp_path / "gone.svg", "gone"),)),))
    file = report.write(made, tmp_path / "report.html")
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"gone\.svg: cannot be read .*; run python .*viewer\.py --force$"):
        report.write(broken, file)
    assert file.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]


def test_names_may_break_and_paths_are_found_as_they_are() -> None:
    assert report.breakable("average_pooling & <b>") == "average_<wbr>pooling &amp; &lt;b&gt;"
    assert report.breakable("/a_folder/path.json") == "/a_folder/path.json"


def test_nothing_but_a_title_is_a_report() -> None:
    page = report.render(Report("Title", "", "", ()))
    assert "<h1>Title</h1>" in page
    assert "role=" not in page
