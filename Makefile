# Needs Python 3.11 or newer and make; everything else comes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: pad-test setup quickstart test dist lint types bench bench-docs peers cli-docs pretrained ios-test campaign lock gpu docs clean

setup: .venv/.done

.venv/.done: requirements.lock pyproject.toml
	@echo "Installing fastetl with all its extras into .venv: about 2 GB, some minutes" >&2
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

quickstart: setup
	$(BIN)/fastetl quickstart

test: setup lint types
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# The pages and the Python API as a site with search, in build/docs; the generator has an environment of its own.
docs: setup
	test -d build/sphinx || $(PYTHON) -m venv build/sphinx
	build/sphinx/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	PYTHONPATH=$$($(BIN)/python -c "import site; print(site.getsitepackages()[0])"):. \
		build/sphinx/bin/python -m sphinx --quiet --fail-on-warning --keep-going -c docs . build/docs
	cp build/docs/README.html build/docs/index.html
	@echo "open build/docs/index.html"

# Wheel and sdist, and the wheel tried in an environment of its own: first the base, then with [export].
TRIAL := dist/trial
dist: setup
	rm -rf dist
	$(BIN)/hatchling build --directory dist
	$(BIN)/fastetl synth $(TRIAL)/etl --files 2
	$(PYTHON) -m venv $(TRIAL)/venv
	$(TRIAL)/venv/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	@du -sm --exclude pip --exclude setuptools $(TRIAL)/venv | sed 's/\t.*/ MiB: the base alone, without pip/'
	cd $(TRIAL) && venv/bin/fastetl build etl dataset && venv/bin/fastetl sheet dataset sheet.png && venv/bin/fastetl recognize sheet.png
	$(TRIAL)/venv/bin/pip install --quiet --disable-pip-version-check "$$(echo dist/*.whl)[export]"
	$(TRIAL)/venv/bin/fastetl verify pretrained
	rm -rf $(TRIAL)

# docs/cli.md, after a change of options; a test compares.
cli-docs: setup
	$(BIN)/python -m benches.cli_pages

# A bundled network, its package and its page, from fixed seeds (docs/pretrained.md says how long); when interrupted, again.
# Sets to measure with: make pretrained NETWORK=kana SETS="a.npz b.npz"
NETWORK ?= japanese
pretrained: setup
	$(BIN)/python -m benches.studies.pretrained $(NETWORK) --sets $(SETS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

# The pad in a real browser: Debian's chromium is installed if there is none; Playwright comes with the setup.
# FASTETL_AXE=…/axe.min.js and FASTETL_ORT_WEB=…/onnxruntime-web/dist add the accessibility rules and the static folder.
pad-test: setup
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		$$([ "$$(id -u)" = 0 ] || echo sudo) apt-get install --yes chromium
	$(BIN)/python -m pytest tests/test_pad_server.py tests/test_pad_page.py

# The whole table wants the peers too: make peers. A folder of genuine files: FASTETL_BENCH_ETL=… make bench
bench: setup
	mkdir -p .benchmarks
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest benches --benchmark-enable --benchmark-only --benchmark-json=.benchmarks/results.json \
		--benchmark-quiet --quiet --no-header
	$(BIN)/python -m benches.table .benchmarks/results.json

# Its figures into docs/.
bench-docs: bench
	$(BIN)/python -m benches.table .benchmarks/results.json --docs

peers: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock

# What Linux can check of the app; needs Swift 6, on the path, where its installers put it, or as SWIFT=….
ios-test: setup
	$(BIN)/python -m pytest tests/test_ios.py tests/test_ios_project.py

# Faults put in, for hours: damaged files, kills, full disks (mounts need root). The page: docs/reliability.md
campaign: setup
	$(BIN)/python -m benches.campaign --out docs/reliability.md

# Training on a GPU, measured, and a network trained with what is left of the minutes. A rehearsal: make gpu DEVICE=cpu MINUTES=2
DEVICE ?= gpu
MINUTES ?= 9.3
gpu: setup
	$(BIN)/python -m benches.studies.gpu --out .benchmarks/gpu --minutes $(MINUTES) $(if $(filter cpu,$(DEVICE)),--rehearsal)

# Needs uv; writes no registry host.
lock:
	uv pip compile --universal --generate-hashes --extra all --group dev --python-version 3.11 --quiet pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --group docs --python-version 3.11 --quiet -o requirements-docs.lock
	uv pip compile --universal --generate-hashes --group peers --python-version 3.11 --quiet -c requirements.lock -o requirements-peers.lock

clean:
	rm -rf .venv quickstart .mypy_cache .ruff_cache .pytest_cache
