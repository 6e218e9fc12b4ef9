# `make demo` and `make test` set up all they need; a second run reuses it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
FRONTEND := $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUNTIME_PACKAGES := libusb-1.0-0 libgomp1 libgl1
TEST_PACKAGES := $(RUNTIME_PACKAGES) chromium dbus-daemon poppler-utils postgresql

.PHONY: demo serve test test-all check bench setup clean
.DELETE_ON_ERROR:

demo: setup
	@tools/system-packages $(RUNTIME_PACKAGES)
	@$(BIN)/droneteam demo $(DEMO)

serve: setup
	@$(BIN)/droneteam database upgrade
	@$(BIN)/droneteam serve

test: setup check
	@tools/system-packages $(TEST_PACKAGES)
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile $(TESTS)

test-all: setup check
	@tools/system-packages $(TEST_PACKAGES)
	@$(BIN)/python -m pytest -q -m '' $(TESTS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@npm --prefix frontend test --silent

setup: $(STAMPS)/package

$(STAMPS)/venv: requirements.lock requirements-peers.lock
	@tools/versions $(PYTHON)
	@mkdir -p $(STAMPS)
	@echo "Installing the locked Python dependencies into $(VENV) (once; some minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements-peers.lock
	@touch $@

# The editable install runs hatch_build.py, which builds the front end.
$(STAMPS)/package: $(STAMPS)/venv pyproject.toml hatch_build.py $(FRONTEND)
	@tools/versions $(PYTHON) node npm
	@echo "Building the front end and installing droneteam"
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "Compiling the planner's search (once; less than a minute)"
	@$(BIN)/python -c "from droneteam.fleet.allocation.exact import warm_up; warm_up()"
	@touch $@

clean:
	rm -rf $(VENV) $(STAMPS) frontend/node_modules droneteam/web/static/dist
