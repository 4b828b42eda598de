"""Known facts on the people and the licences of the data sets that models learn from.

The licences are those that the readers in `metabin/data/readers` name.
"""

from __future__ import annotations

from dataclasses import dataclass

REAL = "real"
RENDERED = "rendered, no real person"


@dataclass(frozen=True, slots=True)
class DatasetTerms:
    """The people in the images of a data set, and the licence of the images."""

    people: str
    licence: str


SYNTHETIC = DatasetTerms(RENDERED, "MIT: drawn by the renderer of this project")
CUSTOM = DatasetTerms("not known to this project", "not known to this project")
TERMS = {
    "market1501": DatasetTerms(REAL, "research only, no distribution"),
    "dukemtmcreid": DatasetTerms(REAL, "WITHDRAWN in 2019; was CC BY-NC-SA 4.0"),
    "msmt17": DatasetTerms(REAL, "research only, by signed agreement, no redistribution"),
    "cuhk02": DatasetTerms(REAL, "academic use only"),
    "cuhk03": DatasetTerms(REAL, "academic use only, no redistribution"),
    "cuhk_sysu": DatasetTerms(REAL, "academic use only, no redistribution"),
    "viper": DatasetTerms(REAL, "free for research"),
    "prid2011": DatasetTerms(REAL, "research only"),
    "grid": DatasetTerms(REAL, "research only"),
    "ilids": DatasetTerms(REAL, "the i-LIDS licence of the UK Home Office"),
    "randperson": DatasetTerms(RENDERED, "Apache-2.0"),
    "personx": DatasetTerms(RENDERED, "MIT"),
    "clonedperson": DatasetTerms(RENDERED, "none stated"),
    "unrealperson": DatasetTerms(RENDERED, "none stated for the images"),
}
WITHDRAWN = {
    "dukemtmcreid": "DukeMTMC-reID was withdrawn in June 2019: people were filmed on a campus "
    "without their consent. Do not deploy or publish a model that learned from it.",
}


def terms_of(name: str, *, is_synthetic: bool) -> DatasetTerms:
    """Return what is known of a data set.

    Args:
        name: Data set.
        is_synthetic: It is a site of the synthetic benchmark.
    """
    return SYNTHETIC if is_synthetic else TERMS.get(name, CUSTOM)
