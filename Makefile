# Everything happens in .venv, made from the exact versions in requirements.lock.
# Needs Python 3.11 or 3.12, make and git; `make PYTHON=/path/to/python3.12 ...` chooses another.

VENV   ?= .venv
PORT   ?= 7860
OUT    ?= out/demo.png
ARGS   ?=
# The first Python that is young and old enough; trying it also sees through broken shims.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
  && echo $$p && break; done)

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

# Ask nothing of the network at run time.
export GRADIO_ANALYTICS_ENABLED = False
export HF_HUB_OFFLINE = 1
# pyright would ask a registry whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.PHONY: help install demo test app lint bench
.DEFAULT_GOAL := help

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: $(STAMP)  ## create .venv and install everything into it

# uv installs in a fraction of pip's time; pip does where uv cannot be had or fails.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or 3.12 was found; install one, or name it with PYTHON=..." >&2; exit 2; }
	@rm -f $(STAMP)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
	  echo "make: $(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@echo "installing the packages of requirements.lock (several GB, once)"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --no-deps --editable .
	@$(BIN)/python -c 'import cv2' || { \
	  echo "make: OpenCV lacks a system library; on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0" >&2; exit 2; }
	@touch $(STAMP)

demo: $(STAMP)  ## re-pose the bundled person: writes out/demo.png
	$(BIN)/vunet demo --out $(OUT)

test: $(STAMP)  ## run all tests; ARGS="-m 'not slow'" leaves out the long ones
	$(BIN)/python -m pytest $(ARGS)

app: $(STAMP)  ## serve the app on 127.0.0.1:7860
	$(BIN)/vunet app --port $(PORT)

lint: $(STAMP)  ## check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(STAMP)  ## measure speed and memory
	$(BIN)/vunet bench $(ARGS)
