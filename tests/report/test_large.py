"""A run with too many test domains for one column each: groups, the first fold's pictures, no matrix."""

from dataclasses import replace

import pandas as pd
import pytest

from metabin.report.page import write_report
from metabin.report.sections import differences, results

COPIES = 20


@pytest.fixture
def large(make_inputs):
    """Twenty disjoint folds: each has a near place, a far place, and a source."""
    one = make_inputs(methods=("bn", "bin_joint", "metabin"), folds={"night": ("night",)})
    rows = one.scores[one.scores["seed"] >= -1].drop_duplicates(["method", "seed", "role"])
    unseen, seen = (rows[rows["role"] == role] for role in ("unseen", "seen"))
    parts, domains = [], []
    for fold in range(COPIES):
        for table, domain, mAP in ((unseen, "place", 0.4), (unseen, "place-far", 0.2), (seen, "source", 0.6)):  # noqa: N806
            name = domain.replace("place", f"place-{fold}").replace("source", f"source-{fold}")
            parts.append(table.assign(fold=f"draw-{fold}", test_domain=name, mAP=mAP))
            domains.append(name)
    nothing = pd.DataFrame()
    empty = ("queries", "candidates", "losses", "rho", "rho_histograms", "rho_probe", "without_overlap")
    cells = [(f"draw-{fold}", f"place-{fold}") for fold in range(COPIES)]
    return replace(
        one,
        folds=tuple(f"draw-{fold}" for fold in range(COPIES)),
        domains=tuple(domains),
        scores=pd.concat(parts),
        samples=dict.fromkeys(domains, one.samples["night"]),
        column_groups={"near": cells, "far": [(fold, f"{domain}-far") for fold, domain in cells]},
        **dict.fromkeys(empty, nothing),
        rho_channels={},
        ranked_lists=(),
        overlaps=(),
    )


def test_groups_of_domains_are_columns_and_single_domains_are_not(large):
    assert large.is_large
    assert results.headline(large).columns == ("mAP", "rank-1", "mINP", "mAP", "near", "far")
    assert [cell.text for cell in results.headline(large).rows[0].cells[-2:]] == ["40.0", "20.0"]
    paired = differences.differences_table(large)
    assert paired is not None
    assert paired.columns == ("near", "far", "mean", "higher in")


def test_without_groups_there_are_means_alone(large):
    near = large.scores[~large.scores["test_domain"].str.endswith("-far")]
    more = near.assign(fold=near["fold"] + "-b", test_domain=near["test_domain"] + "-b")
    inputs = replace(
        large,
        scores=pd.concat([near, more]),
        folds=(*large.folds, *(f"{fold}-b" for fold in large.folds)),
        domains=(*large.domains, *(f"{name}-b" for name in large.domains)),
        column_groups={},
    )
    assert results.headline(inputs).columns == ("mAP", "rank-1", "mINP", "mAP")


def test_the_page_has_the_first_fold_s_images_and_no_matrix(large, tmp_path, text_of):
    assert large.pictured == ("place-0", "place-0-far", "source-0")
    assert "by test domain" not in text_of(large)
    write_report(large, tmp_path / "reports")
    assert sorted(path.name for path in (tmp_path / "reports" / "figures").glob("samples_*")) == [
        "samples_place-0-far.png",
        "samples_place-0.png",
        "samples_source-0.png",
    ]
