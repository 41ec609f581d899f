"""README and docs: short, without dead links, and in step with the code and tests."""

import json
import re

import forks
import pytest
from paths import ROOT

import cvae

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data" / "README.md"]
)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def text_of(page):
    return page.read_text(encoding="utf-8")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", text_of(page))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_readme_has_at_most_120_lines():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


def test_the_readme_has_the_numbers_of_the_published_run():
    published = ROOT / "data" / "pretrained"
    found = json.loads(text_of(published / "evaluation.json"))
    last = json.loads(text_of(published / "metrics.jsonl").splitlines()[-1])
    names = "bound", "log_likelihood", "marginal"
    cells = ["{mean:.2f} ± {stderr:.2f}".format(**found[name]) for name in names]
    minutes = f"{last['seconds'] / 60.0:.0f} minutes"
    error = f"{100.0 * found['classifier']['error_rate']:.2f} %"
    text = " ".join(text_of(ROOT / "README.md").split())
    assert " | ".join(["| `best`", minutes, *cells, error]) in text
    (claimed,) = re.findall(
        r"reaches a log p\(x\) of (\S+) nats .*? after (\S+ \S+)", text
    )
    assert claimed == (f"{found['marginal']['mean']:.2f}", minutes)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page):
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if target.is_dir():
            target = target / "README.md"
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_file_of_the_repository_that_is_named_exists(page):
    folders = "scripts|benchmarks|cvae|tests|examples|data/pretrained"
    for name in re.findall(rf"(?<![\w./-])((?:{folders})/[\w/.-]*\w)", text_of(page)):
        assert (ROOT / name).exists(), name


def test_every_test_that_keeps_a_promise_exists():
    named = re.findall(
        r"(test_\w+\.py)(?:::(\w+))?", text_of(ROOT / "docs/guarantees.md")
    )
    assert len(named) > 30
    for file, test in named:
        (path,) = ROOT.glob(f"tests/**/{file}")
        assert not test or f"def {test}(" in text_of(path), f"{file}::{test}"


def test_every_target_of_make_that_is_named_exists():
    targets = re.findall(r"(?m)^([a-z-]+):", text_of(ROOT / "Makefile"))
    for page in PAGES:
        for target in re.findall(r"(?m)(?:`|^    |env )make ([a-z-]+)", text_of(page)):
            assert target in targets, f"{page.name}: make {target}"


def test_the_citation_has_the_package_s_version():
    citation = text_of(ROOT / "CITATION.cff")
    assert f"\nversion: {cvae.__version__}\n" in citation


def test_the_library_example_runs_as_it_is_printed(tmp_path):
    (code,) = re.findall(r"(?s)```python\n(.*?)```", text_of(ROOT / "README.md"))
    # The newest run may be one of other images.
    code += "print(images.shape == (2, 5, trained.config.x_dim))\n"
    code += "print(images.min() >= 0, images.max() <= 1)"
    (tmp_path / "example.py").write_text(code)
    status, out, err = forks.run(tmp_path / "example.py", cwd=tmp_path)
    assert status == 0, err
    assert out.splitlines()[-2:] == ["True", "True True"]
