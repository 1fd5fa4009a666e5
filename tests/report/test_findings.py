"""What the report opens with: sentences that are computed from the runs, and the whole report as a browser shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

import mlp
from browsers import CONTRASTS, OVERFLOWING, needs_browser
from load_path import load_path
from mma4ctr.evaluation import leak_audit
from mma4ctr.grid import plan
from mma4ctr.grid.experiments import ADAPTIVE, VARIANTS, Point
from mma4ctr.grid.results import Results
from mma4ctr.published import tables as published
from mma4ctr.report import appendix, curves, findings, html, plots, sections, tables
from mma4ctr.report.sources import TaskRuns
from mma4ctr.report.standings import RATES, label_rates, standings
from mma4ctr.runs.comparison import difference, summarise
from mma4ctr.settings import Settings
from samples import own_runs

PUBLISHED, CLEAN = VARIANTS[0], VARIANTS[2]  # both with average pooling


@pytest.fixture(scope="module")
def wechat(tmp_path_factory: pytest.TempPathFactory, tiny: Settings) -> TaskRuns:
    """The tiny sample with MMa4CTR under every variant, two seeds under one, and dnn."""
    own = own_runs(tiny, tmp_path_factory.mktemp("findings"))
    wanted = [
        *(Point("wechat", variant, ADAPTIVE, 0, 10) for variant in VARIANTS),
        Point("wechat", CLEAN, ADAPTIVE, 1, 10),
    ]
    jobs = plan.jobs_of(wanted)
    plan.prepare(own, jobs)
    for job in jobs:
        job.do(own)
    mlp.main(["--paths", str(own.file), "--dataset", "wechat", "--protocol", "clean", "--model", "dnn", "--epochs", "1",
              "--device", "cpu"])  # fmt: skip
    return TaskRuns(Results(load_path(own.file)), "wechat")


@pytest.fixture(scope="module")
def said(wechat: TaskRuns) -> dict[str, str]:
    return dict(findings.of_task(wechat).sentences)


def test_models_stand_by_their_auc_with_what_they_see(wechat: TaskRuns) -> None:
    found = standings(wechat, "clean")
    assert {one.name for one in found} == {"MMa4CTR (average_pooling)", "MMa4CTR (pca)", "dnn"}
    assert [one.auc for one in found] == sorted((one.auc for one in found), reverse=True)
    assert all(one.sees_content for one in found)
    assert [len(one.evaluations) for one in found if one.name == "MMa4CTR (average_pooling)"] == [2]
    assert {one.name for one in standings(wechat, "published")} == {"MMa4CTR (average_pooling)", "MMa4CTR (pca)"}


def test_the_best_models_are_named_with_their_intervals(wechat: TaskRuns, said: dict[str, str]) -> None:
    top, *others = standings(wechat, "clean")
    text = said["The best models"]
    assert text.startswith("Of 3 models on the same test rows (clean protocol, 1 to 2 seeds each)")
    for one in (top, *others):
        assert f"{one.name} {one.auc:.4f} [{one.summary.interval[0]:.4f}, {one.summary.interval[1]:.4f}]" in text
    alike = [one.name for one in others if not difference(one.evaluations, top.evaluations).is_one]
    assert ("is above all others" in text) == (not alike)
    assert all(name in text.partition("Not told apart")[2] for name in alike)


def test_what_is_beyond_click_rates_is_a_paired_difference(wechat: TaskRuns, said: dict[str, str]) -> None:
    found = standings(wechat, "clean")
    rate = label_rates(wechat, found)[RATES]
    gap = difference(found[0].evaluations, rate.evaluations)
    sentence = findings.set_against(gap, RATES)
    assert f"{found[0].name}, the best model that sees content, {sentence}." in said["Beyond click rates"]
    ends = (f"{abs(gap.low):.4f}", f"{abs(gap.high):.4f}")
    assert all(end in sentence for end in ends) and ("not told apart" in sentence) == (not gap.is_one)


def test_the_leak_is_the_gap_between_protocols_and_what_rates_score(wechat: TaskRuns, said: dict[str, str]) -> None:
    aucs = [summarise(wechat.evaluations(variant, ADAPTIVE, 10)).figures["auc"] for variant in (PUBLISHED, CLEAN)]
    text = said["The leak"]
    assert all(f"{auc:.4f} [" in text for auc in aucs)
    assert f"{aucs[0] - aucs[1]:+.4f}".replace("-", "−") in text
    audit = leak_audit.audit(wechat.results.settings, "wechat", "published")
    assert f"scores {audit.auc:.4f} by itself" in text and f"still {audit.shuffled:.4f}" in text


def test_agreement_is_counted_by_an_oracle(wechat: TaskRuns, said: dict[str, str]) -> None:
    printed = published.load().filter(task="wechat", model="MMa4CTR", figure="auc", epochs=10).drop_nulls("value")
    # What was run stands in the published tables of performance, twice, and among the lengths of the embedding.
    alike = (printed["setting"] == "user_embedding_length=21") | printed["table"].str.starts_with("6.1")
    rows = printed.filter(alike)
    assert len(rows) == 3
    ours = summarise(wechat.evaluations(PUBLISHED, ADAPTIVE, 10))
    low, high = ours.interval
    near = [low <= value <= high or abs(value - ours.figures["auc"]) <= 0.01 for value in rows["value"]]
    text = said["The published figures"]
    assert f"{sum(near)} of the {len(near)} published AUCs" in text
    farthest = max(rows["value"], key=lambda value: abs(value - ours.figures["auc"]))
    assert f"published {farthest:.4f}, ours {ours.figures['auc']:.4f}" in text
    assert text.startswith("These rows are made up")


def test_what_has_not_run_is_said_or_left_out(wechat: TaskRuns) -> None:
    like, finish = (dict(findings.of_task(TaskRuns(wechat.results, name)).sentences)
                    for name in ("tiktok_like", "tiktok_finish"))  # fmt: skip
    assert like["The best models"].startswith("Nothing has run under the clean protocol")
    assert "Beyond click rates" not in like
    assert like["The leak"].startswith("The click rate of each user over all rows")
    assert like["The published figures"].startswith("Nothing to compare")
    assert "The published figures" not in finish  # nothing is published of it


def test_every_run_has_its_settings_on_demand(wechat: TaskRuns) -> None:
    (table,) = appendix.runs_section(wechat.results).tables
    assert table.folded and table.title == f"{len(wechat.results.metrics)} runs"
    rows = {row[0].text: row for row in table.rows}
    best = wechat.evaluations(CLEAN, ADAPTIVE, 10)[0]
    row = dict(zip(table.columns, rows[best.run], strict=True))
    assert {"learning_rate: 0.001", "batch_size: 8192", "reduction: average_pooling"} <= set(row["run"].details)
    assert (row["AUC"].text, row["protocol"].text, row["epochs"].value) == (f"{best.figures['auc']:.4f}", "clean", 10)
    low, high = (best.figures[name] for name in ("auc_low", "auc_high"))
    assert row["AUC"].details == (f"[{low:.4f}, {high:.4f}]",)


def test_tables_have_the_rows_that_are_printed_or_have_run(wechat: TaskRuns) -> None:
    epochs = [row[1].text for row in tables.experiment_table(wechat, "epochs").rows]
    assert epochs == [*map(str, range(5, 101, 5)), "", "", ""]  # printed each, though none has run; then click rates
    rows = tables.performance_table(wechat, "performance").rows
    assert [row[1].text for row in rows if row[0].text == "dnn"] == []  # after one epoch, where no table looks
    assert not any(tables.is_shown(TaskRuns(wechat.results, "tiktok_finish"), name) for name in wechat.experiments)


@pytest.fixture(scope="module")
def page(browser: Browser, wechat: TaskRuns) -> Iterator[Page]:
    """The report of that, with its curves and dot plot; what the browser complains of fails the last test."""
    saved = wechat.results.settings.saved_path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "FORMATS", {"svg": plots.FORMATS["svg"]})  # PNGs take their time and are not shown
        curves.write(wechat.results, "wechat", "statis_and_draw.py")
    complaints: list[str] = []
    opened = browser.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(html.write(sections.build(wechat.results, [wechat]), saved / "report.html").as_uri())
    yield opened
    opened.close()
    assert complaints == []


@needs_browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)])
def test_nothing_overflows_and_all_text_stands_out(page: Page, scheme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 1000
    assert [text for text in contrasts if text[0] < 4.5] == []


@needs_browser
def test_it_opens_with_the_findings_and_every_heading_names_its_task(page: Page) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    heads = page.locator("main h2").all_inner_texts()
    assert heads[0] == "Findings" and heads[-1] == "Settings and versions"
    assert heads.index("Leak audit") < heads.index("How to read the tables") < heads.index("wechat")
    section = page.locator("section", has=page.get_by_role("heading", name="wechat", exact=True, level=2))
    titles = section.locator("h3").all_inner_texts()
    assert len(titles) > 5 and all(title.startswith("wechat") for title in titles)
    images = page.locator("img").evaluate_all("all => all.map((one) => [one.alt, one.naturalWidth])")
    assert len(images) >= 3 and all(alt and width > 0 for alt, width in images)
    assert re.match("wechat: AUC of every model", section.locator("img").first.get_attribute("alt"))
