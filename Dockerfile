# An image in which `make repro`, `make test` and `metabin` run without a network.
#
#     docker build --tag metabin .                                     # torch of the lock file, with CUDA
#     docker build --tag metabin --build-arg TORCH_INDEX=ADDRESS .     # torch of another package index: for a CPU alone
#     docker run --rm --gpus all metabin metabin --help
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# DVC and the tests need git. Triton compiles a small C program when a network first runs on a GPU.
# Debian keeps only the newest version of a package: a pinned one would soon be gone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc git libc6-dev make \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 --shell /bin/bash metabin \
    && install --directory --owner metabin --group metabin /home/metabin/metabin
# By number, so that a cluster can check that it is not root.
USER 1000:1000
WORKDIR /home/metabin/metabin
ENV PATH=/home/metabin/metabin/.venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    DVC_NO_ANALYTICS=1 \
    MLFLOW_DISABLE_TELEMETRY=true

# The packages, before the code: a change of the code installs nothing again. pip checks the hash of every file, except
# those of torch and torchvision from TORCH_INDEX, which the lock file does not know.
COPY --chown=metabin:metabin Makefile requirements.txt requirements.lock requirements-dev.lock ./
ARG TORCH_INDEX=
RUN if [ -n "$TORCH_INDEX" ]; then \
        python3 -m venv .venv \
        && awk '/^[a-z]/ { skip = /^(torch|torchvision|triton|nvidia-.*|cuda-.*)==/ } !skip' requirements.lock \
            > /tmp/without-torch.lock \
        && pip install --no-deps --require-hashes --requirement /tmp/without-torch.lock \
        && grep -E '^torch(vision)?==' requirements.txt > /tmp/torch.txt \
        && pip install --no-deps --index-url "$TORCH_INDEX" --requirement /tmp/torch.txt \
        && rm /tmp/without-torch.lock /tmp/torch.txt \
        && touch .venv/bin/.installed; \
    fi \
    && make setup
RUN make setup-dev

COPY --chown=metabin:metabin . .
# The command `metabin`, from the code in this folder.
RUN pip install --no-deps --no-build-isolation --editable .

CMD ["bash"]
