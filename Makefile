# The commands of this repository. On a machine with Python >= 3.11 and make: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := .ci/requirements
PIN := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
SCALE ?= make
# What is shipped; tests/cases holds files that are wrong on purpose.
TOML = $$(git ls-files '*.toml' ':!tests/cases')

.PHONY: demo test check bench campaign torture format schemas pins wheelhouse system-packages clean

demo: $(VENV)/.run
	$(BIN)/edge-agent demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report= --cov-fail-under=0 $(PYTEST)
	$(BIN)/python tests/architecture/coverage_floor.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports --cache-dir .import_linter_cache
	$(BIN)/taplo fmt --check $(TOML)
	$(BIN)/taplo lint --no-schema $(TOML)
	$(BIN)/python .ci/hygiene.py

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench.run $(ONLY)

campaign: $(VENV)/.dev
	$(BIN)/python -m tests.system.campaign --scale $(SCALE) $(ONLY)

torture:
	$(MAKE) campaign SCALE=torture

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/taplo fmt $(TOML)

schemas: $(VENV)/.dev
	$(BIN)/python tests/edge_agent/config/make_schemas.py

# What a gateway is installed from without internet: docs/installation.md. MACHINE=aarch64 for a Raspberry Pi.
wheelhouse: $(VENV)/.run
	$(BIN)/python .ci/wheelhouse.py $(if $(MACHINE),--machine $(MACHINE))

# Needs uv. Pins carry hashes and name no index; a gateway gets the versions that were tested.
pins:
	$(PIN) pyproject.toml $(PINS)/build.in --extra edge --extra central --extra demo -o $(PINS)/run.txt
	$(PIN) pyproject.toml $(PINS)/build.in --all-extras -o $(PINS)/dev.txt
	$(PIN) pyproject.toml --extra edge --constraint $(PINS)/run.txt -o $(PINS)/edge.txt
	$(PIN) $(PINS)/installer.in -o $(PINS)/installer.txt
	$(PIN) $(PINS)/peer.in -o $(PINS)/peer.txt

# Debian packages that some tests need; a missing one skips its tests, loudly.
system-packages:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
	  chromium debootstrap e2fsprogs fuse3 gcc libc6-dev libfaketime mosquitto mount prometheus shellcheck \
	  strace systemd systemd-container

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.python $(PINS)/run.txt pyproject.toml
	$(INSTALL) --require-hashes --requirement $(PINS)/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.python $(PINS)/dev.txt pyproject.toml
	$(INSTALL) --require-hashes --requirement $(PINS)/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) .bench .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
