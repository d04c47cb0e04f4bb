# Everything that a person types. `make` alone lists the targets.
#
# The environment is built on first use and brought up to date when pyproject.toml or constraints.txt change. Its stamp
# is written last, so that an interrupted installation is continued by the same command.

PYTHON ?= python3
VENV ?= .venv
SPLIT ?= voc2nonvoc
TEST_WORKERS ?= 2

PARITY_VENV ?= .venv-parity
PARITY_OUT ?= build/parity

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install demo test test-cluster exactness parity bench recipes validate-submissions hostile check format clean
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 29

install: $(STAMP) ## build or update the environment in .venv (about 7 GB, mostly torch with CUDA)

demo: $(STAMP) ## train, predict, score and report on synthetic images: a table and a page of pictures
	@$(BIN)/psis-bench run split=$(SPLIT)

test: $(STAMP) ## all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile

recipes: $(STAMP) ## two iterations of every recipe whose model is there, made narrow (some minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m all_recipes tests/end_to_end/test_recipes.py

exactness: $(STAMP) ## hold every score to the packages that define it (some minutes): docs/exactness.md
	@OMP_NUM_THREADS=1 PYTHONPATH=tests/support $(BIN)/python -m exactness --data $(or $(PSIS_BENCH_SHARED),../shared/data)

parity: $(STAMP) $(PARITY_VENV)/.installed ## hold models, crops and losses to the official code (half an hour, 7 GB): docs/parity.md
	@mkdir -p $(PARITY_OUT)
	@$(PARITY_VENV)/bin/python -m pip freeze | grep -iE '^(tensorflow.cpu|tf.keras|tf.models.official|object.detection.by.ovi|numpy)==' > $(PARITY_OUT)/versions.txt
	@for part in heads deep_mac deep_marc; do \
		echo "official code: $$part ..." >&2; \
		$(PARITY_VENV)/bin/python tests/parity/official_$$part.py $(PARITY_OUT)/$$part 2> $(PARITY_OUT)/$$part.log || \
			{ tail -n 20 $(PARITY_OUT)/$$part.log >&2; exit 1; }; \
	done
	@echo "comparing ..." >&2
	@PYTHONPATH=. $(BIN)/python tests/parity/compare.py $(PARITY_OUT)

bench: $(STAMP) ## time and memory of scores and masks against what one would use instead (an hour): docs/performance.md
	@$(BIN)/python benchmarks/masks.py; a=$$?; $(BIN)/python benchmarks/full_score.py; b=$$?; \
		$(BIN)/python benchmarks/growth.py; exit $$((a | b | $$?))

validate-submissions: $(STAMP) ## check every submission of the model zoo, as the check of a pull request does
	@$(BIN)/psis-bench validate

hostile: $(STAMP) ## refuse every hostile submission of the tests, with time and memory (a few minutes)
	@$(BIN)/python benchmarks/hostile_submissions.py

test-cluster: $(STAMP) ## SLURM for real, two nodes on this machine (as root, with slurmctld, slurmd, slurm-client, munge)
	@$(PIP) install --quiet -c constraints.txt -e '.[slurm]'
	@PSIS_BENCH_TEST_CLUSTER=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster

check: $(STAMP) ## format, lint, types, spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/typos

format: $(STAMP) ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove the environment and the caches of the tools (never runs/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

# The official code has an environment of its own: its TensorFlow and this package's torch need different versions.
$(PARITY_VENV)/.installed: tests/parity/requirements.txt
	@$(PARITY_VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(PARITY_VENV)
	@echo "Installing the official code into $(PARITY_VENV) (once; some minutes, 2 GB) ..." >&2
	@$(PARITY_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $< || \
		{ echo "make: installing failed, see above. The same command continues." >&2; exit 1; }
	@touch $@

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: $(PYTHON) is not on the path; install Python 3.11 or newer, or say: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), 3.11 or newer is needed; say for example: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@# pip writes INSTALLER after a package's files: a package without it was cut short, and is to be installed again.
	@find $(VENV)/lib -name '*.dist-info' -type d ! -exec test -e '{}/INSTALLER' \; -prune -exec rm -rf '{}' +
	@echo "Installing into $(VENV) (once; some minutes) ..." >&2
	@$(PIP) install $(if $(CI),--quiet) -c constraints.txt -e '.[train,imagenet,demo,dev]' || \
		{ echo "make: installing failed, see above (a missing network ends as a conflict of versions, too). The same command continues." >&2; exit 1; }
	@# opencv-python and opencv-python-headless own the same folder, and the last one installed is the one imported:
	@# let it be the one that needs no display libraries.
	@$(PIP) install --quiet --force-reinstall --no-deps -c constraints.txt opencv-python-headless
	@touch $@
