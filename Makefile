# `make lab` opens the notebooks and `make test` runs every test; each first installs what it needs into .venv.
# Holds for GNU make 3.81 and later, in a folder whose name has spaces, with uv or with Python alone.

uv := $(shell command -v uv 2>/dev/null)
uv_python := $(if $(PYTHON),--python "$(PYTHON)")
PYTHON ?= python3
LAB_ARGS ?=
PYTEST_ARGS ?=
python := .venv/bin/python

.PHONY: help lab test quick lint lock clean chromium

help:
	@echo "make lab     open the notebooks in JupyterLab (on your own copy, in my-notebooks/)"
	@echo "make test    run every test"
	@echo "make quick   run the quick tests, in about a minute"
	@echo "make lint    check style and types"
	@echo "make lock    bring uv.lock up to date with pyproject.toml (needs uv)"
	@echo "make clean   remove .venv and the tools' caches; my-notebooks/ stays"

# Opens on a copy, so that the clone stays clean. What a reader has changed is never overwritten.
lab: .venv/lab.stamp
	@cd notebooks && find . \( -name '*.ipynb' -o -name '*.md' -o -name '*.html' \) ! -path '*/.ipynb_checkpoints/*' ! -path '*/masters/*' | while IFS= read -r file; do \
	    mine="../my-notebooks/$$file"; mkdir -p "$$(dirname "$$mine")"; \
	    if [ ! -e "$$mine" ]; then cp "$$file" "$$mine.part" && mv "$$mine.part" "$$mine"; \
	    elif [ "$$file" -nt "$$mine" ]; then \
	        echo "notebooks/$${file#./} is newer than your my-notebooks/$${file#./}: rename yours to get the new one."; fi; done
	$(python) -m jupyterlab --notebook-dir=my-notebooks --LabApp.default_url=/lab/tree/00-start-here.ipynb $(as_root) $(LAB_ARGS)

# JupyterLab refuses to start for root, who is often the only user of a container.
as_root := $(if $(filter 0,$(shell id -u)),--allow-root)

test: .venv/test.stamp chromium
	$(python) -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

quick: .venv/test.stamp
	$(python) -m pytest -n auto --dist loadfile -m "not slow and not browser" --ignore=tests/notebooks \
	    --ignore=tests/teach/test_exercises.py $(PYTEST_ARGS)

lint: .venv/test.stamp
	$(python) -m ruff check
	$(python) -m mypy

lock:
	uv lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written after a complete installation only: an interrupted one is done again.
.venv/lab.stamp: pyproject.toml uv.lock
	$(call install,lab)
	@$(no_news)
	@touch $@

.venv/test.stamp: pyproject.toml uv.lock
	$(call install,test)
	@$(no_news)
	@touch .venv/lab.stamp $@

# A clone that was moved, or a Python that was upgraded, leaves a .venv that no longer works.
works := $(shell $(python) -I -c "import os, zswaplab as z; print(os.path.samefile(z.__path__[0], 'zswaplab'))" 2>/dev/null || echo no)
ifneq ($(works),True)
.PHONY: .venv/lab.stamp .venv/test.stamp
endif

# JupyterLab otherwise opens with the question whether to fetch its news.
lab_settings := .venv/share/jupyter/lab/settings
no_news := mkdir -p $(lab_settings) && \
    echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' > $(lab_settings)/overrides.json

install = $(if $(uv),$(uv_install),$(pip_install))

define uv_install
UV_PROJECT_ENVIRONMENT=.venv uv sync --locked --inexact --extra $(1) $(uv_python)
endef

define pip_install
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
    echo "zswaplab needs Python 3.11 or later, which '$(PYTHON)' is not. Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; \
    exit 1; }
@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || $(call apt_install,python3-venv) || { \
    echo "'$(PYTHON)' cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv"; \
    exit 1; }
"$(PYTHON)" -m venv $(if $(and $(filter True,$(works)),$(wildcard .venv/*.stamp)),,--clear) .venv
$(python) -m pip install --disable-pip-version-check -e ".[$(1)]"
endef

# The browser tests skip, and say why, where there is no Chromium.
chromium:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	    $(call apt_install,chromium fonts-liberation) || \
	    echo "No Chromium: the browser tests will be skipped. On Debian or Ubuntu: sudo apt-get install chromium"

# Root on Debian or Ubuntu gets a missing system package installed; anyone else is told its name.
apt_install = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update && \
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $(1); }
