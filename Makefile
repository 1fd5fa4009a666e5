# make demo   the whole pipeline on sample data      make test   linting and the test suite
# make bench  the benchmarks of benchmarks/          make clean  remove the environment and the samples
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench clean

demo: .venv/demo.installed
	$(BIN)/python demo.py

test: .venv/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2

bench: .venv/demo.installed
	$(BIN)/python benchmarks/tenth_wechat.py
	$(BIN)/python benchmarks/null_check.py

.venv/demo.installed: requirements.txt
.venv/test.installed: requirements-test.txt requirements.txt

.venv/%.installed:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; give one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

clean:
	rm -rf .venv sample
