"""Train one method on the sources of one fold with one seed, and choose a checkpoint on the sources."""

from __future__ import annotations

import argparse
import shutil

from stages import candidates, cli, layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    parser.add_argument("--method", default="metabin", help="bn, in, bin_joint, metabin ...: see docs/method.md")
    parser.add_argument("--seed", type=int, required=True, help="of the training")
    args = parser.parse_args()

    from metabin import tracking
    from metabin.config import load_config
    from metabin.data import store
    from metabin.data.batches import loading
    from metabin.engine import methods, resume, trainer
    from metabin.model import weights
    from metabin.model.pretrained import require_unchanged

    (method, config), key = load_config().of(args.method), (args.fold, args.method, args.seed)
    manifest = store.load_manifest(layout.PARTITION, args.fold)
    require_unchanged(config.model.pretrained_file, manifest["files"])
    names = tuple(manifest["sources"])[: None if config.optim.num_sources == "all" else config.optim.num_sources]
    sources, target = loading.load_part(layout.PARTITION, manifest, names, "train"), None
    if methods.find(method).learns_on_target:
        target = loading.load_part(layout.PARTITION, manifest, tuple(manifest["targets"]), "query")
    training = trainer.Trainer(config, sources, method, args.seed, target=target)
    identity = trainer.identity(config, method, args.seed, manifest)
    digest, directory = resume.state_digest(identity), layout.training(*key)
    header = {"method": method, "num_classes": sources.num_classes, "sha256": resume.values_digest(identity)}
    unfinished = layout.resume(digest)

    title = f"{args.fold}/{args.method}/seed-{args.seed}"
    tags = {"fold": args.fold, "method": args.method, "seed": str(args.seed)}
    with (
        tracking.open_run("train", title, tags=tags) as run,
        cli.progress(title, training.times.num_steps, "step") as done,
    ):
        run.params(config.model_dump())
        run.tags({f"fingerprint.{name}": entry["fingerprint"] for name, entry in manifest["domains"].items()})
        folders = layout.raw_folders(config.protocol)
        for name in sources.names:
            run.dataset(
                store.records_table(layout.PARTITION, name),
                name=name,
                source=str(folders[name]),
                digest=manifest["domains"][name]["sha256"],
                context="train",
            )

        reached = 0

        def watch(step: int, scalars: dict, rho: dict) -> None:
            nonlocal reached
            done(step + 1 - reached)  # more than one where a killed training goes on
            reached = step + 1
            run.metrics(scalars, step)
            run.rho(rho, step)

        keep = candidates.keeper(key, unfinished, header)
        model = training.run(watch=watch, keep=keep, state_path=unfinished / "state.pt", digest=digest)
        weights.save_weights(layout.weights(*key), model, header)
        training.history.save(directory)
        run.table("rho/histograms", training.history.histogram_table())
        run.table("selection", candidates.choose(training, key, {**manifest, "sources": names}))
        run.file(layout.weights(*key), "model")
    (unfinished / "state.pt").unlink(missing_ok=True)  # first: a state never outlives its candidates
    shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == "__main__":
    cli.run(main)
