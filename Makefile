# The commands of the project. Each does its own set-up on a machine with Python 3.11 or newer, make and git.
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
STUDY := demo
# Start-up is most of a small job: let Python keep what it has compiled, also where a machine's default is not to.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test nightly faults bench lint format generate setup

help:
	@echo "make demo      run the study in small, on simulated images: results/$(STUDY)/index.html"
	@echo "make test      run all tests"
	@echo "make nightly   run the tests that take minutes each"
	@echo "make faults    break a study on a test cluster in ten ways, again and again (root, apt; an hour)"
	@echo "make bench     measure speed and memory, side by side with rivals: docs/benchmarks.md"
	@echo "make lint      check style and the workflow's rules"
	@echo "make format    put the code into the project's style"
	@echo "make torch-cu126  torch for GPUs whose driver is older than the locked build wants (README)"
	@echo "make generate  write what is derived from code and lock: schemas, environments, tables of the README"

demo: setup
	@echo "==> Running the demo: simulated images, embeddings, probes, figures, report (a few minutes)"
	@$(RUN) snakemake
	@echo "==> Open results/$(STUDY)/index.html in a browser"

test: setup
	@echo "==> Running the tests: functions, then whole workflows (several minutes)"
	@$(RUN) pytest

nightly: setup
	@$(RUN) pytest -m nightly

faults: setup
	@tests/cluster/up.sh
	@$(RUN) python tests/cluster/faults.py
	@tests/cluster/down.sh --purge

bench: setup
	@$(RUN) python tests/bench/memory.py
	@$(RUN) python tests/bench/embedding.py
	@$(RUN) python tests/bench/knn.py
	@$(RUN) python tests/bench/segmentation.py
	@$(RUN) python tests/bench/audit.py
	@$(RUN) python tests/bench/probe.py
	@$(RUN) python tests/bench/finetune.py
	@$(RUN) python tests/bench/evaluate.py
	@$(RUN) python tests/bench/scale.py

lint: setup
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) snakefmt --check Snakefile workflow
	@$(RUN) snakemake --lint

format: setup
	@$(RUN) ruff check --fix
	@$(RUN) ruff format
	@$(RUN) snakefmt Snakefile workflow

generate: setup
	@$(RUN) protloc generate

# The versions of torch and torchvision stay those of the lock; `make setup` brings the locked build back.
.PHONY: torch-cu126
torch-cu126: setup
	@echo "==> Replacing torch by its build for drivers of CUDA 12 (about 3 GB)"
	@$(UV) pip install --torch-backend=cu126 --reinstall-package torch --reinstall-package torchvision \
		$$(sed -n 's/^ *"\(torch\(vision\)\?==.*\)",$$/\1/p' pyproject.toml)

setup: $(UV)
	@echo "==> Setting up the environment of uv.lock in .venv (the first time: about 5 GB)"
	@$(UV) sync --locked --quiet

.uv/bin/uv:
	@echo "==> Getting uv, which makes the environment"
	@python3 -m venv .uv
	@.uv/bin/python -m pip install --quiet uv==0.13.9
