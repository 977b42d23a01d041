# Two commands do everything on a new machine: `make demo` and `make test`.
VENV := .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := $(VENV)/bin
# Browsers and disks are waited for: one more than there are cores
WORKERS := $(shell expr `nproc` + 1)
# Hundreds of tests start a Python of their own; those that may not keep compiled code take seconds each.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-thorough setup bench format messages pictures clean

demo: $(VENV)/.ready ## set up, run the main job on the demo park, serve its pages until Ctrl-C
	@echo "lujin lies in $(RUN); put it on your path with: . $(RUN)/activate"; echo
	$(RUN)/lujin demo demo --overwrite

test: $(VENV)/.ready-test $(VENV)/.system-test ## set up all that tests need, run them
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	$(RUN)/python -m pytest -n $(WORKERS)

test-thorough: $(VENV)/.ready-test $(VENV)/.system-test ## every test on both databases, every page in each look
	$(RUN)/python -m pytest -n $(WORKERS) --thorough

bench: $(VENV)/.ready-test ## the benchmarks, each with its ratio to a bare scan
	$(RUN)/python benchmarks/run.py
	$(RUN)/python benchmarks/merkle.py

format: $(VENV)/.ready-test
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

messages: $(VENV)/.ready-test ## bring the Chinese catalogue up to the source
	$(RUN)/python scripts/messages.py

pictures: $(VENV)/.ready-test $(VENV)/.system-test ## of the pages, for the documents; of the park that make demo left
	LUJIN_PICTURES_OF=$(CURDIR)/demo LUJIN_PICTURES_INTO=$(CURDIR)/docs/images \
		$(RUN)/python -m pytest tests/web/browser/test_pictures.py -n 0

setup: $(VENV)/.ready-test $(VENV)/.system-test

$(VENV)/bin/python:
	PYTHON=$(PYTHON) sh scripts/venv.sh $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.system-test: scripts/test_system.sh | $(VENV)/bin/python
	sh scripts/test_system.sh
	touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[test]
	touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis tests-artefacts
