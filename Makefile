# make demo     a melody from a MIDI file, played by the learned violin: out/demo.wav
# make studio   a page on this machine to play, shape, record and train in
# make gallery  a piece for every preset and one for all together, with pictures: gallery/index.html
# make test     the tests
# make check    lint, types, doctests, README blocks, tutorials, examples, the docs, slow tests, the axes of all presets, an hour of streaming
# make attack   half an hour of damaged inputs, kills, full disks, bombs and streams; what is found is kept in found/
# make docs     the documentation as a site: site/index.html
# Each does its own set-up in .venv, pinned by constraints.txt (Python 3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# two threads that spin beside one busy core are many times slower than threads that sleep
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo studio gallery test check attack docs clean

.venv/.player: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	$(BIN)/python -m ddspvae.engine
	@touch $@

.venv/.developer: .venv/.player
	$(PIP) --editable '.[dev]'
	@touch $@

demo: .venv/.player
	@mkdir -p out
	$(BIN)/ddspvae render examples/melody.mid --preset violin --out out/demo.wav
	@echo "Listen to out/demo.wav"

.venv/.studio: .venv/.player
	$(PIP) --editable '.[studio,live]'
	@touch $@

studio: .venv/.studio
	$(BIN)/ddspvae studio

gallery: .venv/.developer
	$(BIN)/python examples/gallery --out gallery

test: .venv/.developer
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: .venv/.developer
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) docs
	$(BIN)/python -m pytest --doctest-modules ddspvae
	$(BIN)/python -m pytest --run-examples tests/contracts/test_readme.py tests/contracts/test_examples.py
	$(BIN)/python -m pytest --run-presets --numprocesses auto --maxprocesses 4 tests/truths/test_named_axes.py
	$(BIN)/python -m pytest --run-slow -m slow --numprocesses auto --maxprocesses 4 --dist worksteal
	$(BIN)/python -m tests.attack --minutes 2
	$(BIN)/python -m pytest --run-hour tests/truths/test_stream.py -k hour

attack: .venv/.developer
	$(BIN)/python -m tests.attack --minutes 30

docs: .venv/.developer
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

clean:
	rm -rf .venv out gallery site build *.egg-info
