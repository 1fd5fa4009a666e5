# make demo    the whole pipeline on sample data      make test   linting and the test suite
# make report  every table and figure of what has run  make bench  the benchmarks of benchmarks/
# make clean   remove the environment and the samples
PYTHON ?= python3
BIN := .venv/bin

# The runs that the report is about: those of path.json where it has any, those of the demo otherwise.
PATHS ?= $(if $(wildcard data/saved/results.csv),path.json,sample/demo/path.json)

.PHONY: demo report test bench clean

demo: .venv/demo.installed
	$(BIN)/python demo.py

report: .venv/demo.installed
	$(BIN)/python statis_and_draw.py --paths $(PATHS)
	$(BIN)/python viewer.py --paths $(PATHS)

test: .venv/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2

bench: .venv/demo.installed
	$(BIN)/python benchmarks/tenth_wechat.py
	$(BIN)/python benchmarks/null_check.py
	$(BIN)/python benchmarks/killed_grid.py

.venv/demo.installed: requirements.txt
.venv/test.installed: requirements-test.txt requirements.txt

.venv/%.installed:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; give one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

clean:
	rm -rf .venv sample
