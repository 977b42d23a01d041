# Two commands do everything on a new machine: `make demo` and `make test`.
VENV := .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := $(VENV)/bin

.PHONY: demo test setup bench format messages clean

demo: $(VENV)/.ready ## set up, run the main job on the demo park, say what to type next
	$(RUN)/lujin demo demo --overwrite
	@echo; echo "lujin lies in $(RUN); put it on your path with: . $(RUN)/activate"

test: $(VENV)/.ready-test ## set up all that tests need, run them
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	$(RUN)/python -m pytest -n auto

bench: $(VENV)/.ready-test ## the benchmarks, each with its ratio to a bare scan
	$(RUN)/python benchmarks/run.py
	$(RUN)/python benchmarks/merkle.py

format: $(VENV)/.ready-test
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

messages: $(VENV)/.ready-test ## bring the Chinese catalogue up to the source
	$(RUN)/python scripts/messages.py

setup: $(VENV)/.ready-test

$(VENV)/bin/python:
	PYTHON=$(PYTHON) sh scripts/venv.sh $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[test]
	touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
