"""Score every method of one fold on the held-out domain and on the sources' held-out identities."""

from __future__ import annotations

import argparse
import json

from stages import cli, layout, leftovers, selection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", required=True, help="the held-out domain")
    fold = parser.parse_args().fold

    import pandas as pd

    from metabin import compute, tracking
    from metabin.config import load_config
    from metabin.data import store
    from metabin.evaluation import overlap, ranked_lists, scoring
    from metabin.evaluation.untrained import UNTRAINED
    from metabin.files import write_text
    from metabin.model.weights import load_model

    config = load_config()
    leftovers.remove(layout.MODELS / fold, leftovers.model_outputs(config))
    device = compute.prepare(config.compute)
    manifest = store.load_manifest(layout.PARTITION, fold)
    tests = scoring.load_tests(layout.PARTITION, manifest)
    trainings = [(method, seed) for method in config.protocol.methods for seed in config.protocol.seeds]
    leaks = store.load_overlaps(layout.PARTITION, fold)
    parts = [(test, overlap.without_overlap(test, leaks)) for test in tests]
    rows, clean_rows = [], []
    for method, score in UNTRAINED.items():
        key = {"fold": fold, "method": method, "seed": -1}
        rows += [key | scoring.score_row(score(test), test) for test in tests]
        clean_rows += [key | scoring.score_row(score(rest.test), rest.test) for _, rest in parts if rest]
    roots = store.load_image_roots(layout.PARTITION)
    lists, queries, shown = [], [], (config.protocol.meta_learned[0], config.protocol.seeds[0])
    with cli.progress(f"evaluate {fold}", len(trainings), "model") as done:
        for method, seed in trainings:
            key = {"fold": fold, "method": method, "seed": seed}
            base, own = config.of(method)
            path = layout.training(fold, method, seed) / "weights.safetensors"
            model = load_model(path, own.model, base, device)
            for test, rest in parts:
                query, gallery = scoring.embed_test(model, test)
                found = scoring.retrieval_scores(query, gallery, device)
                rows.append(key | scoring.score_row(found, test))
                if test.unseen:
                    table = scoring.query_table(found, test)
                    queries.append(pd.DataFrame(key, index=table.index).join(table))
                if rest:
                    found = scoring.retrieval_scores(*rest.embeddings(query, gallery), device)
                    clean_rows.append(key | scoring.score_row(found, rest.test))
                if test.unseen and (method, seed) == shown and not test.trial:
                    records = store.load_records(layout.PARTITION, test.domain)
                    told = key | {"test_domain": test.domain}
                    lists += [
                        told | found
                        for found in ranked_lists.telling_lists(query, gallery, test, records, str(roots[test.domain]))
                    ]
            done(1)

    trials = pd.DataFrame(rows)
    scores = scoring.mean_over_trials(trials)
    clean_scores = scoring.mean_over_trials(pd.DataFrame(clean_rows)) if clean_rows else scores.iloc[:0]
    fingerprints = {name: entry["fingerprint"][:16] for name, entry in manifest["domains"].items()}
    for name, table in (("scores", scores), ("trials", trials), ("without_overlap", clean_scores)):
        table = table.assign(fingerprint=table["test_domain"].map(fingerprints))  # of the copy that was tested
        text = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
        write_text(layout.results(fold) / f"{name}.csv", text)
    text = pd.concat(queries).to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(layout.results(fold) / "queries.csv", text)
    selection.score(fold, config, tests, scores, device)
    write_text(layout.results(fold) / "ranked_lists.json", json.dumps(lists, indent=1) + "\n")
    with tracking.open_run("evaluate", fold, tags={"fold": fold}) as run:
        run.tags({f"fingerprint.{name}": entry["fingerprint"] for name, entry in manifest["domains"].items()})
        run.table("scores", scores)
        for row in scores.to_dict("records"):
            seed = f"/seed-{row['seed']}" if row["seed"] >= 0 else ""
            run.metrics(
                {f"eval.{row['test_domain']}/{row['method']}{seed}/{name}": row[name] for name in ("mAP", "rank1")}
            )


if __name__ == "__main__":
    cli.run(main)
