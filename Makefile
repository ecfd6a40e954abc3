# Every target sets up its own environment, from nothing where needed, and brings it up to date when
# pyproject.toml changes. Needs GNU make and Python 3.10 to 3.13; uses uv where it is installed.
#
#   make test PYTHON=python3.12        another Python (a command or a path)
#   make test ARGS="-k fixedpoint"     further options of pytest, the demo or the benchmarks
#   make test WORKERS=0                all tests in one process

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# installations would write the project's egg-info at the same time
.NOTPARALLEL:

ARGS ?=
# tests start programs: without bytecode each compiles all of its modules anew
unexport PYTHONDONTWRITEBYTECODE
# tests run side by side, one more than there are cores, up to 4, since some wait for processes that they
# started; BLAS has one thread in each, since threads of several processes wait for each other
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
INTERPRETER := $(shell sh scripts/find-python $(PYTHON))
ifeq ($(INTERPRETER),)
$(error no usable Python, see above)
endif
VERSION := $(shell '$(INTERPRETER)' -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

# one folder a purpose and Python version, so that one use never breaks another
CORE := .venv-core-$(VERSION)
TEST := .venv-test-$(VERSION)
DOCS := .venv-docs-$(VERSION)
ZOO := .venv-zoo-$(VERSION)
FULL := .venv
STAMP := .made-by-make

.PHONY: help demo test check format bench docs zoo release kernels wheels sanitize env clean

help:
	@echo 'make demo     convert, simulate, verify and report the bundled example'
	@echo 'make test     the tests (with Lava on Python 3.10)'
	@echo 'make check    lint, formatting, types, the list of packages'
	@echo 'make format   mend lint and formatting where that is safe'
	@echo 'make bench    the benchmarks'
	@echo 'make kernels  compile the native engine anew (happens by itself when its sources change)'
	@echo 'make docs     the documentation as a site, in build/site'
	@echo 'make zoo      train, convert and measure the zoo into build/zoo, and write its cards (torch)'
	@echo 'make release  build sdist and wheels, check them, and try them in fresh environments'
	@echo 'make wheels   wheels of Linux on x86-64 and AArch64, with the compiler of ziglang'
	@echo 'make sanitize tests of the native engine with every access to memory checked (gcc)'
	@echo 'make env      .venv for development: the tests plus lava-dl and torch (several GB)'
	@echo 'make clean    remove environments, builds and caches'

demo: $(CORE)/$(STAMP)
	$(CORE)/bin/python -m snn_deploy demo $(ARGS)

test: $(TEST)/$(STAMP)
	OPENBLAS_NUM_THREADS=1 $(TEST)/bin/python -m pytest -q -rs \
		-n $(WORKERS) --maxprocesses 4 --dist worksteal $(ARGS)

check: $(TEST)/$(STAMP)
	$(TEST)/bin/python -m ruff check .
	$(TEST)/bin/python -m ruff format --check .
	$(TEST)/bin/python -m mypy
	$(TEST)/bin/python -m pytest -q -m 'not slow' tests/test_packaging.py

format: $(TEST)/$(STAMP)
	$(TEST)/bin/python -m ruff check --fix .
	$(TEST)/bin/python -m ruff format .

bench: $(TEST)/$(STAMP)
	$(TEST)/bin/python benchmarks/run.py $(ARGS)

kernels: $(CORE)/$(STAMP)
	$(CORE)/bin/python snn_deploy/engines/native/build.py

docs: $(DOCS)/$(STAMP)
	$(DOCS)/bin/python -m mkdocs build --strict
	@echo 'open build/site/index.html; its search needs a server: python -m http.server -d build/site'

zoo: $(ZOO)/$(STAMP)
	OPENBLAS_NUM_THREADS=1 $(ZOO)/bin/python -m snn_deploy.examples.zoo --docs docs $(ARGS)

release: $(TEST)/$(STAMP)
	$(TEST)/bin/python scripts/release.py $(ARGS)

# glibc 2.17 is what manylinux2014 has
WHEELS ?= dist
wheels: $(TEST)/$(STAMP)
	$(TEST)/bin/python -m pip --version >/dev/null 2>&1 || $(TEST)/bin/python -m ensurepip
	$(TEST)/bin/python -m pip install --quiet ziglang
	for machine in x86_64 aarch64; do \
		CXX="$(CURDIR)/$(TEST)/bin/python -m ziglang cc -s -target $$machine-linux-gnu.2.17" \
		SNN_DEPLOY_MACHINE=$$machine $(TEST)/bin/python -m build --wheel --no-isolation --outdir '$(WHEELS)' \
		-C--build-option=--plat-name=manylinux2014_$$machine || exit 1; done

SANITIZED := $(CURDIR)/build/kernels-sanitized.so
SANITIZERS := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
sanitize: $(TEST)/$(STAMP)
	$(TEST)/bin/python snn_deploy/engines/native/build.py $(SANITIZED) $(SANITIZERS)
	LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0 SNN_DEPLOY_KERNELS=$(SANITIZED) OPENBLAS_NUM_THREADS=1 \
		$(TEST)/bin/python -m pytest -q -p no:cacheprovider -n $(WORKERS) --maxprocesses 4 \
		tests/test_native.py tests/test_native_rows.py tests/test_native_programs.py tests/test_native_dendrites.py \
		tests/test_native_loops.py tests/test_engines_agree.py tests/test_layer_norm.py $(ARGS)

env: $(FULL)/$(STAMP)
	@echo 'ready: . $(FULL)/bin/activate'

$(CORE)/$(STAMP): EXTRAS :=
$(TEST)/$(STAMP): EXTRAS := dev,lava,cluster
$(DOCS)/$(STAMP): EXTRAS := docs
$(ZOO)/$(STAMP): EXTRAS := zoo
# a tenth of what torch for GPUs takes, and as fast on networks so small
$(ZOO)/$(STAMP): export UV_TORCH_BACKEND ?= cpu
$(FULL)/$(STAMP): EXTRAS := dev,lava,cluster,netx,torch,onnx,nir

%/$(STAMP): pyproject.toml scripts/make-environment
	@sh scripts/make-environment $(@D) '$(INTERPRETER)' $(EXTRAS)
	@touch $@

clean:
	rm -rf .venv .venv-core-* .venv-test-* .venv-docs-* .venv-zoo-* build dist snn_deploy.egg-info \
		snn_deploy/engines/native/lib
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
