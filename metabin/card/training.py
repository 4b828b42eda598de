"""The model card of a training: a pure function of what went into it and what it recorded.

It has the form that Hugging Face expects of the README.md of a model: YAML front matter, then
markdown. Equal trainings give equal cards: they hold no time and no name of a machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metabin.card.added_parts import added_parts
from metabin.card.datasets import RENDERED, WITHDRAWN, DatasetTerms, terms_of
from metabin.card.markdown import bullets, code, percent, table
from metabin.registry import find_method
from metabin.rho_summary import NUM_BINS, layer_groups
from metabin.types import FINAL

if TYPE_CHECKING:
    import pandas as pd

    from metabin.config import Config
    from metabin.config.losses import Terms
    from metabin.methods.method import Method
    from metabin.model.description import ModelDescription

CARD = "README.md"
NEAR = 0.1  # rho below it is near 0, rho above 1 - NEAR is near 1
OUT_OF_SCOPE = (
    "Establishing who a person is. A high similarity is no proof of identity.",
    "Surveillance without a legal basis, and tracking of people who are not informed where the law "
    "demands it.",
    "Decisions about people, such as access, employment, policing or prosecution, on the ground of "
    "this model's output.",
    "Inference of sex, age, origin, health or behaviour.",
)
LIMITS = (
    "The embedding describes the look of clothes and body. It fails when people change clothes, "
    "wear uniforms, or are mostly hidden.",
    "The input must be a tight crop of one upright person. A detector's errors become this model's "
    "errors.",
    "A similarity is no probability, and its scale differs from site to site. Choose thresholds on "
    "labelled images of the site where the model is used.",
    "It was not tested whether errors differ between groups of people. Test this before use.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """The facts of a training that its card states.

    Args:
        description: Of the model.
        config: The parameters of the method or variant that trained it.
        method: Its method; of a variant the method that it is based on.
        num_parameters: Of the network, with the classifier.
        domains: Training data set -> (identities, images) that trained.
        synthetic: Those of them that are sites of the synthetic benchmark.
        selection: step, source_mAP, chosen: the candidates.
        source_scores: test_domain, num_ids, num_query, mAP, rank1, mINP of the last step.
        rho_histograms: step, layer, bin_left, count, layers in network order; empty if no rho is
            learned.
    """

    description: ModelDescription
    config: Config
    method: str
    num_parameters: int
    domains: Mapping[str, tuple[int, int]]
    synthetic: Collection[str]
    selection: pd.DataFrame
    source_scores: pd.DataFrame
    rho_histograms: pd.DataFrame

    @property
    def terms(self) -> dict[str, DatasetTerms]:
        """Return training data set -> what is known of it."""
        return {name: terms_of(name, is_synthetic=name in self.synthetic) for name in self.domains}

    @property
    def is_free(self) -> bool:
        """Return whether everything that the model learned from is of this project."""
        all_synthetic = set(self.domains) <= set(self.synthetic)
        return all_synthetic and self.config.model.pretrained == "none"


def training_card(facts: TrainingFacts) -> str:
    """Return the text of the card."""
    method = find_method(facts.method)
    sections = (
        introduction(facts, method),
        use(facts.description),
        training_data(facts),
        training(facts, method),
        rho(facts, method),
        f"## Intended use\n\n{intended_use()}",
        f"## Out of scope\n\n{bullets(OUT_OF_SCOPE)}",
        f"## Limits\n\n{bullets(limits(facts))}",
        evaluation(facts),
    )
    return "\n\n".join((front_matter(facts), *sections)) + "\n"


def front_matter(facts: TrainingFacts) -> str:
    """Return the YAML that Hugging Face reads; a licence only where no other data has a say."""
    lines = ["library_name: metabin", "pipeline_tag: image-feature-extraction"]
    # Of pretrained weights and other people's images this project cannot give a licence.
    if facts.is_free:
        lines.append("license: mit")
    tags = ("person-re-identification", "domain-generalization", "metric-learning")
    return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def introduction(facts: TrainingFacts, method: Method) -> str:
    """Return the title and what the model is."""
    description = facts.description
    variant = "" if description.method == method.name else f", variant {description.method}"
    if description.fold == FINAL:
        purpose = "It trained on all data sets of its project, for use at new places."
    else:
        purpose = (
            f"It trained without {_listed(description.held_out)}, for a test on unseen data. For "
            "use, the project has a final model that trained on all data sets, if its parameter "
            "protocol.final names a method."
        )
    return (
        f"# {method.label}{variant}: {description.backbone}\n\n"
        "A network for person re-identification. It maps the image of a person to an embedding of "
        f"{description.embedding_size} numbers; images of the same person have similar embeddings. "
        f"{purpose} Normalisation: {method.label}, {method.meaning} "
        "([Choi et al., CVPR 2021](https://arxiv.org/abs/2011.14670)). "
        f"Seed {description.seed}; sha256 of the weights: `{description.sha256}`."
    )


def use(description: ModelDescription) -> str:
    """Return how to load the model, and what it reads."""
    mean, std = (
        ", ".join(f"{value:.3f}" for value in values)
        for values in (description.pixel_mean, description.pixel_std)
    )
    return (
        "## Use\n\n"
        "```python\n"
        "import metabin\n\n"
        'model = metabin.load("path/to/this/folder")\n'
        'embeddings = model.embed(["one.jpg", "two.jpg"])'
        f"  # (2, {description.embedding_size}) float32, unit length\n"
        "scores = metabin.similarity(embeddings, embeddings)  # cosine, in [-1, 1]\n"
        "```\n\n"
        "Input: the crop of one person, in RGB. `metabin` resizes it to height "
        f"{description.height}, width {description.width} ({description.resize}, Pillow) and "
        f"computes (pixels - mean) / std for pixels in 0 to 255, with mean ({mean}) and std "
        f"({std}). Embeddings of different models cannot be compared."
    )


def training_data(facts: TrainingFacts) -> str:
    """Return the data sets, with what is known of their licences and of consent."""
    terms = facts.terms
    rows = [
        (name, terms[name].people, ids, images, terms[name].licence)
        for name, (ids, images) in facts.domains.items()
    ]
    heads = ("data set", "people", "identities", "images", "licence of the images")
    blocks = ["## Training data", table(heads, rows)]
    withdrawn = [WITHDRAWN[name] for name in facts.domains if name in WITHDRAWN]
    blocks += [f"**Withdrawn data.** {text}" for text in withdrawn]
    if any(item.people != RENDERED for item in terms.values()):
        blocks.append(
            "This project knows of no documented consent of the people in images that are not "
            "rendered. The licences of the images may bind the use of the model as well: ask their "
            "owners."
        )
    blocks.append(_start(facts.config.model.pretrained))
    return "\n\n".join(blocks)


def training(facts: TrainingFacts, method: Method) -> str:
    """Return the settings of the training, and how its weights were chosen."""
    optim = facts.config.optim
    step = facts.description.step
    batch = optim.ids_per_batch * optim.images_per_id
    items = [
        f"Network: {facts.description.backbone}, {facts.num_parameters:,} parameters with the "
        f"classifier of {facts.description.num_classes} identities.",
        f"Steps: {step:,}, with {optim.ids_per_batch} identities x {optim.images_per_id} images: "
        f"{step * batch:,} images in base steps.",
        f"Optimiser: {optim.optimizer}, learning rate {optim.lr:g}, schedule {optim.schedule}, "
        f"weight decay {optim.weight_decay:g}.",
        f"Losses: {_weights(optim.losses)}.",
    ]
    items += added_parts(facts.config)
    if method.is_episodic:
        meta = facts.config.meta
        items.append(
            f"Meta step in each iteration: per domain {meta.ids_per_domain} identities x "
            f"{optim.images_per_id} images; inner learning rate up to {meta.inner_lr:g}; "
            f"meta-train losses: {_weights(meta.train_losses)}; meta-test losses: "
            f"{_weights(meta.test_losses)}."
        )
    if method.learns_rho:
        rate = method.rho_lr(facts.config)
        items.append(f"rho: starts at {facts.config.model.rho_init:g}, learning rate {rate:g}.")
    compute = facts.config.compute
    items.append(
        f"Compute: device {compute.device}, precision {compute.precision}. MLflow has the duration "
        "and the hardware, if tracking was on."
    )
    return f"## Training\n\n{bullets(items)}\n\n{choice(facts)}"


def choice(facts: TrainingFacts) -> str:
    """Return how the checkpoint was chosen."""
    rows = [
        (int(step), percent(mean))
        for step, mean in zip(facts.selection["step"], facts.selection["source_mAP"], strict=True)
    ]
    text = "The weights are those after the last step, a rule that looks at no result."
    if facts.selection["source_mAP"].isna().all():
        return f"{text} All identities train, so that candidates could not be compared."
    best = int(facts.selection.loc[facts.selection["chosen"], "step"].iloc[0])
    return (
        f"{text} For comparison: mean mAP of candidates on held-out identities of the training "
        f"data sets. Step {best} is best.\n\n{table(('step', 'mAP, %'), rows)}"
    )


def rho(facts: TrainingFacts, method: Method) -> str:
    """Return how rho is distributed over groups of layers at the last step."""
    head = "## rho\n\nrho is the weight of batch norm in a channel: 1 is batch, 0 instance norm."
    if not method.learns_rho or facts.rho_histograms.empty:
        return f"{head} This method learns no rho."
    table_of_rho = facts.rho_histograms
    last = table_of_rho[table_of_rho["step"] == table_of_rho["step"].max()]
    # (layers, bins): channels whose rho is in each bin
    counts = last.pivot(index="layer", columns="bin_left", values="count")
    rows = []
    for group, layers in layer_groups(list(dict.fromkeys(last["layer"]))).items():
        bins = counts.loc[list(layers)].sum()
        low = bins.iloc[: round(NEAR * NUM_BINS)].sum()
        high = bins.iloc[-round(NEAR * NUM_BINS) :].sum()
        total = bins.sum()
        rows.append((group, len(layers), total, percent(low / total), percent(high / total)))
    heads = ("layers", "number", "channels", f"rho < {NEAR:g}, %", f"rho > {1 - NEAR:g}, %")
    return f"{head} Share of channels near the ends:\n\n{table(heads, rows)}"


def intended_use() -> str:
    """Return what the model is for."""
    return (
        "Research on re-identification, and ranking of crops by similarity for a person who "
        "reviews the result: in one network of cameras, for a lawful purpose, with a legal basis "
        "for processing images of people."
    )


def limits(facts: TrainingFacts) -> list[str]:
    """Return the known limits."""
    if all(item.people == RENDERED for item in facts.terms.values()):
        return ["It learned from rendered people alone. Photographs look different.", *LIMITS]
    return list(LIMITS)


def evaluation(facts: TrainingFacts) -> str:
    """Return the scores on held-out identities of the training data sets."""
    head = "## Evaluation\n\n### Training data sets"
    if facts.source_scores.empty:
        return f"{head}\n\nAll identities train, so the model has no scores here."
    rows = [
        (
            *(row["test_domain"], row["num_ids"], row["num_query"]),
            *(percent(row[metric]) for metric in ("mAP", "rank1", "mINP")),
        )
        for row in facts.source_scores.to_dict("records")
    ]
    heads = ("data set", "identities", "queries", "mAP, %", "rank-1, %", "mINP, %")
    return (
        f"{head}\n\nHeld-out identities of the data sets that trained: their cameras are known to "
        f"the model. Expect less at a new place.\n\n{table(heads, rows)}"
    )


def _start(weights: str) -> str:
    if weights == "none":
        return "The training starts at random weights."
    return f"The training starts at pretrained weights: {code(weights)}. They have their own terms."


def _weights(terms: Terms) -> str:
    """Return losses as text; a term is a weight, or a dictionary with the weight and options."""
    weights = {
        name: term["weight"] if isinstance(term, dict) else term for name, term in terms.items()
    }
    return ", ".join(f"{name} x {weight:g}" for name, weight in weights.items() if weight)


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
