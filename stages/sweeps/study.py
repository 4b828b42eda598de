"""The study of a sweep: what Optuna proposes and remembers, in a journal that outlives a kill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from metabin.errors import UserError
from metabin.files import write_csv
from stages.sweeps.plan import Plan
from stages.sweeps.results import PRESENT, VALUES, as_table, listed, num_ended
from stages.sweeps.trials import Sweep, TrialError

if TYPE_CHECKING:
    from optuna import Study, Trial

INPUTS = "inputs"  # the attribute of a study with what all its trials share
MAX_FAILURES = 3  # in a row


def open_study(journal: Path, plan: Plan, inputs: Mapping[str, Any]) -> Study:
    """Open a study, or begin it.

    Args:
        inputs: what the scores of trials depend on, by name.

    Raises:
        UserError: it was begun with other inputs.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="sweep",
        storage=JournalStorage(JournalFileBackend(str(journal))),
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(),
    )
    # The number of trials so far: a sweep that goes on must not propose the first values again.
    study.sampler = optuna.samplers.TPESampler(seed=plan.seed + len(study.trials))
    before = study.user_attrs.get(INPUTS)
    if before is None:
        study.set_user_attr(INPUTS, inputs)
    elif changed := [name for name in {**before, **inputs} if before.get(name) != inputs.get(name)]:
        raise UserError(
            f"the trials in {journal} were made before a change of {', '.join(changed)}, so that "
            "new scores cannot be compared with theirs; take the change back, or begin a sweep "
            "with another --name"
        )
    return study


def propose_again(study: Study, plan: Plan, values: Mapping[str, Any]) -> None:
    """Let the study begin with the present values, and repeat trials that a kill has ended.

    Args:
        values: of params.yaml by dotted key.
    """
    from optuna.trial import TrialState

    present = {key: tried.as_stored(values[key]) for key, tried in plan.parameters.items()}
    if not study.trials and None not in present.values():
        study.enqueue_trial(present, user_attrs={PRESENT: True})
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)


def run_trials(study: Study, sweep: Sweep, table: Path) -> None:
    """Run trials until the study has the number of the plan, and write the table after each.

    Raises:
        UserError: `MAX_FAILURES` trials in a row failed.
    """
    import optuna
    from optuna.trial import TrialState

    failures = 0
    while num_ended(study) < sweep.plan.trials:
        trial = study.ask()
        try:
            study.tell(trial, _run(trial, sweep))
            failures = 0
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except TrialError as error:
            study.tell(trial, state=TrialState.FAIL)
            failures += 1
            print(f"trial {trial.number} failed: {error}", flush=True)
        write_csv(table, as_table(study))
        if failures == MAX_FAILURES:
            raise UserError(f"{failures} trials in a row failed, see above")


def _run(trial: Trial, sweep: Sweep) -> float:
    """Train the folds of a trial. Return its score, the mean over folds, a fraction."""
    import optuna

    values = {key: values.suggest(trial, key) for key, values in sweep.plan.parameters.items()}
    trial.set_user_attr(VALUES, values)
    print(f"trial {trial.number}: {listed(values)}", flush=True)
    scores: list[float] = []
    for fold, score in zip(sweep.folds, sweep.scores(trial.number, values), strict=True):
        scores.append(score)
        print(f"  {fold}: source mAP {100 * score:.1f}", flush=True)
        trial.report(fmean(scores), len(scores))
        if trial.should_prune() and len(scores) < len(sweep.folds):
            print("  stopped: worse than the median of the others", flush=True)
            raise optuna.TrialPruned
    sweep.finish(trial.number, fmean(scores))
    return fmean(scores)
