# Two commands on a fresh machine: make score, make test. Both set up what they need in .venv and may be run again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := out
BENCH := .venv-bench
DATA ?= $(wildcard ../shared/data)

.PHONY: score test lint bench bench-quick wheel clean

# A stamp for each set of packages, renewed when pyproject.toml changes.
$(VENV)/base: pyproject.toml
	@echo "== 准备环境：$(VENV)（hazard 及其依赖）"
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/test: pyproject.toml
	@echo "== 准备环境：$(VENV)（另加测试所需，含 events）"
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test,events]'
	touch $@ $(VENV)/base

score: $(VENV)/base
	mkdir -p $(OUT)
	@for sector in special-equipment gas fireworks; do \
	    echo; echo "== 随附样表：$$sector"; \
	    $(BIN)/hazard score datasets/$$sector/*检查表.csv -o $(OUT)/$$sector.xlsx || exit 1; \
	done
	@if [ -n "$(DATA)" ]; then \
	    echo; echo "== 真实表：纽约市电梯（2015）"; \
	    $(BIN)/hazard score $(DATA)/nyc_elevators_2015_sample.csv --rules datasets/real/nyc-elevators --as-of 2015-10-17 || exit 1; \
	    echo; echo "== 真实表：芝加哥餐饮检查"; \
	    $(BIN)/hazard score $(DATA)/chicago_food_inspections_wide_sample.csv --rules datasets/real/chicago-inspections || exit 1; \
	    echo; echo "== 真实表：多伦多高层住宅消防检查"; \
	    $(BIN)/hazard score $(DATA)/toronto_highrise_fire_sample.csv --rules datasets/real/toronto-highrise --as-of 2024-01-01 || exit 1; \
	else \
	    echo "（没有 ../shared/data，真实表从略：datasets/real/*/README.md 说明到哪里下载）"; \
	fi
	@echo; echo "== 完成。工作簿在 $(OUT)/"

test: $(VENV)/test lint
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/test
	$(BIN)/ruff format --check engine cli.py tests benchmarks
	$(BIN)/ruff check engine cli.py tests benchmarks
	$(BIN)/mypy

# The other engines live in an environment of their own; durable_rules wants a C compiler.
$(BENCH)/ready: pyproject.toml
	@echo "== 准备环境：$(BENCH)（另加对照的引擎）"
	test -x $(BENCH)/bin/pip || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --editable '.[bench]'
	touch $@

bench: $(BENCH)/ready
	$(BENCH)/bin/python -m benchmarks.run --json benchmarks/results.json $(BENCHFLAGS)
	$(BENCH)/bin/python -m benchmarks.report

bench-quick: $(BENCH)/ready
	$(BENCH)/bin/python -m benchmarks.run --quick $(BENCHFLAGS)

# From nothing each time: setuptools would carry files of an earlier build into the wheel.
wheel: $(VENV)/base
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@echo "== dist/$$(ls dist)"

clean:
	rm -rf $(VENV) $(BENCH) $(OUT) build dist *.egg-info
