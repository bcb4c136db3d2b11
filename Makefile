# Every target sets itself up: the stamp files remember what was installed, so that a second run reinstalls nothing and a changed
# requirements.txt, constraints.txt or pyproject.toml reinstalls at once.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
# the first Python on the path that is new enough; say `make demo PYTHON=/path/to/python` for another
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
IN_VENV := $(VENV)/bin/python
PIP_INSTALL := $(IN_VENV) -m pip install --disable-pip-version-check --constraint constraints.txt

# Which of the tests that are marked weekly `make test` runs: those of today, by the day of the week (0 is Sunday)
DAY ?= $(shell date -u +%w)

# containers often set it; some seventy processes of the suite would then compile every module again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-all test-peers test-processors topic lint syllabus record vectors notebooks notebooks-test book bench release clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r target does; do \
		printf '  make %-15s %s\n' "$$target" "$$does"; done

demo: $(VENV)/.installed  ## derivations, contracts, and a small model each of images, text and sound; writes runs/demo/index.html (ALL=1: every contract)
	@$(IN_VENV) -m demo $(if $(ALL),--all)

test: $(VENV)/.installed-test  ## run the test suite, of its costliest tests those of today (DAY=0 to 6 for another; PYTEST="..." adds options)
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(IN_VENV) -m pytest -n auto --maxprocesses 8 --dist loadgroup --day $(DAY) $(PYTEST)

test-all: $(VENV)/.installed-test  ## run every test of the suite
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(IN_VENV) -m pytest -n auto --maxprocesses 8 --dist loadgroup $(PYTEST)

test-peers: $(VENV)/.installed-peers  ## compare with other libraries, as far as tests do, after installing them
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(IN_VENV) -m pytest --peers $(PYTEST)

test-processors: $(VENV)/.installed-test  ## check the contracts under every instruction set of this processor (TOPICS="latent/elbo ...": of these)
	@$(IN_VENV) -m tests.support.processors $(TOPICS)

topic: $(VENV)/.installed-test  ## run everything about one topic, every row compiled: make topic TOPIC=latent/vae
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(IN_VENV) -m pytest --topic="$(TOPIC)" --compiled $(PYTEST)

lint: $(VENV)/.installed-test  ## check the style of the source
	@$(IN_VENV) -m ruff check .
	@$(IN_VENV) -m ruff format --check --quiet . || { echo "some files are not formatted: run $(IN_VENV) -m ruff format ." >&2; exit 1; }

syllabus: $(VENV)/.installed  ## write docs/syllabus.md, and its summary in README.md, from the syllabus and the sources
	@$(IN_VENV) -m shared_specs.commands.syllabus_page

record: $(VENV)/.installed  ## record the answers that judge NumPy code without JAX, of the topics whose contracts or functions have changed
	@$(IN_VENV) -m shared_specs.recording

vectors: $(VENV)/.installed  ## export every case with its answers for other languages: build/vectors/diptych-vectors.tar.xz, and its checksum
	@rm -rf build/vectors && mkdir -p build/vectors
	@$(IN_VENV) -m shared_specs export build/vectors/diptych-vectors --archive build/vectors/diptych-vectors.tar.xz

notebooks: $(VENV)/.installed-notebooks  ## write a notebook of every topic, and one with solutions, to build/notebooks (TOPICS="latent/elbo ...": of these)
	@$(IN_VENV) -m notebooks --topics "$(TOPICS)"

notebooks-test: $(VENV)/.installed-notebooks  ## write them, execute them with trainings of a few steps, and keep what they show (TOPICS=)
	@$(IN_VENV) -m notebooks --topics "$(TOPICS)" --execute

book: $(VENV)/.installed-book  ## write the course as a book to build/book/html/index.html (TOPICS="latent/elbo ...": a part of it)
	@$(IN_VENV) -m book --topics "$(TOPICS)"

bench: $(VENV)/.installed-bench  ## run the comparisons with peers, and print them in one table; installs the peers
	@$(IN_VENV) -m benchmarks

release: $(VENV)/.installed-release  ## build the wheel and the source archive, and use the wheel in a fresh environment
	@.ci/release $(abspath $(IN_VENV))

clean:  ## remove .venv, build/ and the caches; leaves runs/ alone
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@[ -n "$(PYTHON)" ] && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: Diptych needs Python 3.11 or newer; found $$("$(or $(PYTHON),python3)" --version 2>&1 || true)." \
		     "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.txt constraints.txt $(VENV)/.created
	@echo "Installing into $(VENV): about 7 GB, most of it PyTorch with CUDA's libraries; at 100 Mbit/s the downloads take" \
	      "minutes. pip names each package and its size when its download begins. README.md says how to install less on a CPU."
	$(PIP_INSTALL) --requirement requirements.txt
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.installed-peers: pyproject.toml $(VENV)/.installed-test
	$(PIP_INSTALL) --editable '.[test,peers]'
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[bench]'
	@touch $@

$(VENV)/.installed-release: pyproject.toml $(VENV)/.created
	$(PIP_INSTALL) 'build>=1.2'
	@touch $@

$(VENV)/.installed-notebooks: pyproject.toml $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[notebooks]'
	@touch $@

$(VENV)/.installed-book: pyproject.toml $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[book]'
	@touch $@
