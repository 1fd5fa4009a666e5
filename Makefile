# make demo    the whole pipeline on sample data      make test   linting, types and the test suite
# make real    the whole pipeline on MovieLens-100k, with the eight published baselines: real data, in about ten minutes
# make report  every table and figure of what has run
# make baselines  the eight published baselines on the sample of make demo, and the report with them
# make models  every other model of the package, on the sample of make demo (once) and on the data of make real (three seeds,
#              three learning rates), with both reports: about an hour
# make bench   time and memory of every step, into benchmarks/RESULTS.md; SCALE=full for the published size
# make checks  the checks that take long: tests of clusters and of what is killed, labels without signal, damaged inputs and killed steps, a grid killed again and again
# make golden  the digests that make test compares outputs of the tiny sample with: see CONTRIBUTING.md
# make clean   remove the environment and the samples
PYTHON ?= python3
BIN := .venv/bin

# The runs that the report is about: those of path.json where it has any, those of the demo otherwise.
PATHS ?= $(if $(wildcard data/saved/results.csv),path.json,sample/demo/path.json)

DEMO_PATHS := --paths sample/demo/path.json

# The size of the logs that the benchmarks run on: hundredth, tenth or full (25 GB).
SCALE ?= tenth

.PHONY: demo real report baselines models test golden bench checks clean

demo: .venv/demo.installed
	$(BIN)/python demo.py

real: .venv/demo.installed .venv/recbole.installed
	$(BIN)/python real_data.py

report: .venv/demo.installed
	$(BIN)/python statis_and_draw.py --paths $(PATHS)
	$(BIN)/python viewer.py --paths $(PATHS)

baselines: .venv/demo.installed .venv/recbole.installed
	test -e sample/demo/matrix/records/cross_matrix_wechat.json || $(BIN)/python demo.py --no_report
	$(BIN)/python adjust_hyperparameter.py $(DEMO_PATHS) --experiment performance --longest 10 --reduction average_pooling
	$(BIN)/python baseline/comp.py $(DEMO_PATHS) --config baseline/demo.yaml --setting clean --epochs 5 10
	$(BIN)/python baseline/comp.py $(DEMO_PATHS) --config baseline/demo.yaml --setting published --epochs 2 5
	$(BIN)/python viewer.py $(DEMO_PATHS) --protocol published --reduction average_pooling

models: .venv/demo.installed .venv/recbole.installed
	test -e sample/demo/matrix/records/cross_matrix_wechat.json || $(BIN)/python demo.py --no_report
	$(BIN)/python adjust_hyperparameter.py $(DEMO_PATHS) --dataset wechat --protocol clean --models all --learning_rates 0.003 --jobs 2
	$(BIN)/python viewer.py $(DEMO_PATHS) --dataset wechat --protocol clean --reduction average_pooling
	$(BIN)/python real_data.py --models all

test: .venv/test.installed .venv/recbole.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -n 2

golden: .venv/test.installed
	PYTHONPATH=.:tests $(BIN)/python tests/golden.py

bench: .venv/demo.installed
	$(BIN)/python benchmarks/pipeline.py --scale $(SCALE)
	$(BIN)/python benchmarks/row_by_row.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/write_results.py

checks: .venv/demo.installed .venv/test.installed .venv/recbole.installed
	$(BIN)/python -m pytest -n 2 -m slow
	$(BIN)/python benchmarks/null_check.py
	$(BIN)/python benchmarks/null_check.py --native --tasks wechat --min_interactions 68
	$(BIN)/python benchmarks/campaign.py
	$(BIN)/python benchmarks/killed_grid.py

.venv/demo.installed: requirements.txt
.venv/test.installed: requirements-test.txt requirements-cluster.txt requirements.txt

# RecBole's own requirements ask for releases that do not exist for current Pythons: see baseline/requirements.txt.
.venv/recbole.installed: baseline/requirements.txt requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r baseline/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps recbole==1.2.1
	touch $@

.venv/%.installed:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; give one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

clean:
	rm -rf .venv sample
