# One build tree serves the command and the tests: the same flags everywhere, so nothing is built
# twice. Kernels of debug builds are unusable, hence release mode for the tests as well.
FLAGS := -c release -Xswiftc -enable-testing
BUILT := .build/release
NUNCHI := $(BUILT)/nunchi
SOURCES := Package.swift Sources Tests Examples
PREFIX ?= /usr/local
# DESTDIR goes before it where a package is made.
INSTALLED = $(DESTDIR)$(PREFIX)
MODELS := SmolLM2-135M Gemma-3-270M Qwen2.5-Coder-0.5B Qwen2.5-Coder-1.5B

.DEFAULT_GOAL := help
# Targets run in the order in which they are named, also under -j.
.NOTPARALLEL:
.PHONY: help setup setup-tests build install build-tests demo test test-all test-slurm run-tests \
	example fetch fetch-all drafters bench figures lint format

help: ## Shows this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Installs missing Debian packages, checks Swift
	@Scripts/setup.sh

setup-tests:
	@Scripts/setup.sh tests

build: ## Builds the nunchi command in release mode
	swift build $(FLAGS) --product nunchi

# The command finds its resources and Swift's libraries beside itself, where a link leads to it too.
install: build ## Installs the command with all it needs of Swift under PREFIX (/usr/local)
	rm -rf '$(INSTALLED)/lib/nunchi'
	mkdir -p '$(INSTALLED)/lib/nunchi' '$(INSTALLED)/bin'
	cp -R $(NUNCHI) $(BUILT)/nunchi_Evaluation.resources $(BUILT)/nunchi_NunchiDrafters.resources \
	  '$(INSTALLED)/lib/nunchi'
	ldd $(NUNCHI) | sed -n 's|.* => \(.*/swift/linux/.*\) (.*|\1|p' | \
	  xargs -I LIBRARY cp LIBRARY '$(INSTALLED)/lib/nunchi'
	ln -sfn ../lib/nunchi/nunchi '$(INSTALLED)/bin/nunchi'

demo: setup build ## Decodes plainly and speculatively, side by side, on SmolLM2-135M
	$(NUNCHI) models fetch SmolLM2-135M
	$(NUNCHI) demo

test: setup-tests lint build-tests fetch example run-tests ## Runs the test suite (98 MB model)

test-all: setup-tests lint build-tests fetch-all example run-tests test-slurm ## All models: 2 GB

test-slurm: setup build fetch ## Tests Scripts/slurm on a Slurm of one machine (root, 4 minutes)
	Scripts/slurm/test.sh

drafters: setup build ## Trains the shipped drafters again (hours)
	Scripts/make_drafters.sh

bench: setup build fetch-all ## Compares with llama.cpp in one interleaved run (slow)
	python3 Benchmarks/compare_peers.py

figures: setup build fetch-all ## Measures README's figures in one run and writes its table (slow)
	python3 Benchmarks/figures.py

lint: ## Checks the formatting
	swift format lint --strict --parallel -r $(SOURCES)

format: ## Formats the sources in place
	swift format --in-place --parallel -r $(SOURCES)

build-tests:
	swift build $(FLAGS) --build-tests

fetch:
	$(NUNCHI) models fetch SmolLM2-135M

fetch-all:
	for model in $(MODELS); do $(NUNCHI) models fetch $$model || exit 1; done

# The library examples: part of this package, hence of the one build tree.
example:
	swift build $(FLAGS) --product Example
	$(BUILT)/Example
	swift build $(FLAGS) --product AffineTreeExample
	$(BUILT)/AffineTreeExample

run-tests:
	swift test $(FLAGS) --skip-build
