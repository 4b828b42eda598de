#!/bin/bash
# The trainings of params.yaml on eight GPUs of a Slurm cluster, then the scores and the report:
#
#     job=$(sbatch --parsable --array=1-8 examples/slurm_array.sh)
#     sbatch --dependency=afterok:$job --gpus=1 --wrap "make repro PULL=1"
#
# Every job works in a clone of its own, with the committed code and the present params.yaml. The jobs exchange results
# through DVC's default remote. `make setup` comes first, in the repository.
#SBATCH --job-name=metabin
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=24:00:00
set -euo pipefail

repository=${SLURM_SUBMIT_DIR:-$PWD}
clone=$(mktemp -d "${TMPDIR:-/tmp}/metabin.XXXXXX")
trap 'rm -rf "$clone"' EXIT
git clone --quiet "$repository" "$clone"
cp "$repository/params.yaml" "$clone"
if [ -f "$repository/.dvc/config.local" ]; then cp "$repository/.dvc/config.local" "$clone/.dvc"; fi
if [ -d "$repository/datasets" ]; then ln -s "$repository/datasets" "$clone"; fi
export PATH="$repository/.venv/bin:$PATH"
cd "$clone"
python -m stages.tools.repro --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
