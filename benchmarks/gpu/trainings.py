"""The trainer's loop on the paper's presets, and the hours that each preset takes.

A training runs with the parameters of its preset, on random images in data sets of the published
numbers of identities and images (protocols/). Its first iterations alone are measured. The number
of iterations of the preset is that of its epochs on these data sets, as the trainer computes it:

    hours = iterations of the preset * milliseconds per iteration / 3,600,000
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.fabricated import ROOT, fabricated_images
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Precision, Setting
from metabin.config import Config, parse_config, read_values
from metabin.config.editing import overlay
from metabin.config.presets import load_preset
from metabin.data.batches.loading import ImageSet
from metabin.data.batches.sampling import epoch_steps
from metabin.engine.schedule import timeline
from metabin.engine.trainer import Trainer

METHOD = "metabin"


@dataclass(frozen=True, slots=True)
class PaperPreset:
    """A preset of the paper.

    Attributes:
        protocol: file of protocols/ that has the numbers of identities and images.
        num_cameras: of a data set.
        measured: iterations that are measured, after `warm_ups`.
    """

    name: str
    protocol: str
    num_cameras: int
    measured: int
    warm_ups: int = 5


PRESETS = (
    PaperPreset("paper-resnet50", "p1-duke", 6, 30),
    PaperPreset("paper-mobilenetv2", "p1-duke", 6, 30),
    # with colour jitter, which takes longer
    PaperPreset("single-source-market1501", "single-market1501", 6, 10),
    PaperPreset("single-source-dukemtmc", "single-dukemtmcreid", 8, 10),
)


def rows(setting: Setting) -> Iterator[Row]:
    for preset in PRESETS[:1] if setting.small else PRESETS:
        data = published_images(setting, preset)
        for precision in setting.precisions:
            config = preset_config(setting, preset, precision)
            milliseconds = measure(setting, preset, config, data)
            name = f"{preset.name} {precision}"
            yield Row(f"{name}: one iteration of the trainer", milliseconds, "ms")
            steps = num_steps(config, data)
            yield Row(
                f"{name}: the training of one method",
                steps * milliseconds / 3_600_000,
                "h",
                f"{steps:,} iterations x {milliseconds:.3g} ms",
            )


def published_images(setting: Setting, preset: PaperPreset) -> ImageSet:
    """Return random images in the place of the preset's sources."""
    trains = read_values(ROOT / "protocols" / f"{preset.protocol}.yaml")["trains"]
    datasets = {name: (num_ids, num_images) for name, (num_ids, num_images) in trains.items()}
    if setting.small:
        datasets = dict.fromkeys(trains, (10, 60))
    sizes = setting.sizes
    return fabricated_images(
        datasets, height=sizes.height, width=sizes.width, num_cameras=preset.num_cameras
    )


def preset_config(setting: Setting, preset: PaperPreset, precision: Precision) -> Config:
    """Return the parameters of a preset, from random weights, on the device."""
    changes: dict[str, Any] = {
        "model.pretrained": "none",
        "compute.device": setting.device.type,
        "compute.precision": precision,
    }
    if setting.small:
        changes |= {
            "model.backbone": setting.sizes.backbones[0],
            "optim.ids_per_batch": 10,
            "optim.images_per_id": 2,
            "meta.ids_per_domain": 2,
        }
    values = load_preset(ROOT / "presets" / f"{preset.name}.yaml").values
    return parse_config(overlay(read_values(ROOT / "params.yaml"), values | changes))


def num_steps(config: Config, data: ImageSet) -> int:
    """Return the iterations of a training with these parameters on these images."""
    optim = config.optim
    steps = epoch_steps(data.label, optim.ids_per_batch, optim.images_per_id)
    return timeline(optim, config.meta, steps).num_steps


def measure(setting: Setting, preset: PaperPreset, config: Config, data: ImageSet) -> float:
    """Return the milliseconds of an iteration of the trainer's loop, after the first ones.

    The first iteration alone has further base steps, `optim.first_base_steps`.
    """
    measured = 2 if setting.small else preset.measured
    last = preset.warm_ups + measured
    # two more iterations: the last one records rho, and nothing is recorded after `last`
    changes = {"optim.unit": "steps", "optim.duration": last + 2, "meta.inner_period": 10}
    short = parse_config(overlay(config.model_dump(), changes))
    stamps: dict[int, float] = {}

    def watch(step: int, *_: Any) -> None:
        if step in (preset.warm_ups, last):
            setting.synchronize()
            stamps[step] = time.perf_counter()

    Trainer(short, data, METHOD, 0).run(watch=watch)
    return 1000 * (stamps[last] - stamps[preset.warm_ups]) / measured
