# Two commands do everything on a machine with Python >= 3.11, pip and make:
#   make quickstart   install, train, evaluate, report on drawn people
#   make test         install, then every check
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint format clean

quickstart: .venv/installed
	$(BIN)/python -m launch.train \
	  --config=configs/quickstart.py --workdir=runs/quickstart
	$(BIN)/python -m launch.evaluate --workdir=runs/quickstart

test: .venv/installed-for-tests lint
	$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=worksteal

lint: .venv/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed-for-tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -e .
	touch $@

.venv/installed-for-tests: .venv/installed
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
