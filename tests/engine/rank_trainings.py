"""Train on one rank and on several, in float64, and write what came out: `python rank_trainings.py FOLDER`.

The ranks are forked, so that torch is imported once. Nothing is computed before, since threads do not survive a fork.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

import torch
from conftest import ROOT, draw_images
from ruamel.yaml import YAML
from torch import distributed as dist

from metabin.config import parse_config
from metabin.data.batches import loading
from metabin.engine.trainer import Trainer

LOSSES = {"train_losses": {"ce": 1.0, "scatter": 1.0}, "test_losses": {"triplet": 1.0, "ce": 1.0}}
METABIN = {"metabin": {}, "metabin, second order": {"meta": {"second_order": True}}}
OTHERS = {
    "half": {},  # torch's BatchNorm2d and InstanceNorm2d
    "bin_shared": {},
    "metabin, combined": {"meta": {"combined": True, "statistics": "meta_train", **LOSSES}},
    "mldg": {"meta": {"outer_lr": 0.1}},  # of the second order: 12 would multiply rounding errors as well
}
OWN = {"metabin, own statistics": {"compute": {"statistics": "device"}}}
TRAININGS = {1: METABIN | OTHERS, 2: METABIN | OTHERS | OWN, 4: METABIN}  # by number of ranks
SETTINGS = {
    "optim": {"duration": 3, "ids_per_batch": 8, "images_per_id": 2},
    "augment": {"flip": 0.5, "pad": 2, "colour_jitter": True, "erasing": 0.5},
    "meta": {"ids_per_domain": 4, "inner_period": 4},
    "record": {"loss_every": 1, "rho_every": 2},
    "compute": {"device": "cpu"},
}


class DoubleTrainer(Trainer):
    """A training in float64."""

    def _build_model(self):
        return super()._build_model().double()


def config_of(changes):
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    for sections in (SETTINGS, changes):
        for section, parameters in sections.items():
            values[section].update(parameters)
    return parse_config(values)


def train(name, changes):
    training = DoubleTrainer(config_of(changes), draw_images(num_domains=3, num_ids=8, num_images=3), name, 0)
    model = training.run()
    return {**model.state_dict(), "losses": torch.from_numpy(training.history.losses_table().to_numpy())}


def main():
    folder = Path(sys.argv[1])
    for module in ("torch._dynamo", "numba"):
        import_module(module)
    normalise = loading.normalise
    loading.normalise = lambda images: normalise(images).double()
    torch.set_num_threads(1)
    for num_ranks, trainings in TRAININGS.items():
        pids = []
        for rank in range(num_ranks):
            if not (pid := os.fork()):
                if num_ranks > 1:
                    meeting = f"file://{folder}/ranks-{num_ranks}"
                    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=num_ranks)
                outcomes = {name: train(name.partition(",")[0], changes) for name, changes in trainings.items()}
                torch.save(outcomes, folder / f"{num_ranks}-{rank}.pt")
                os._exit(0)
            pids.append(pid)
        failed = [pid for pid in pids if os.waitpid(pid, 0)[1]]
        if failed:
            sys.exit(f"{len(failed)} of {num_ranks} ranks failed")


if __name__ == "__main__":
    main()
