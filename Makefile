# One build tree serves the command and the tests: the same flags everywhere, so nothing is built
# twice. Kernels of debug builds are unusable, hence release mode for the tests as well.
FLAGS := -c release -Xswiftc -enable-testing
NUNCHI := .build/release/nunchi
SOURCES := Package.swift Sources Tests Examples
MODELS := SmolLM2-135M Gemma-3-270M Qwen2.5-Coder-0.5B Qwen2.5-Coder-1.5B

.DEFAULT_GOAL := help
# Targets run in the order in which they are named, also under -j.
.NOTPARALLEL:
.PHONY: help install install-tests build build-tests demo test test-all test-slurm run-tests example fetch fetch-all \
	drafters bench lint format

help: ## Shows this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

install: ## Installs missing Debian packages, checks Swift
	@Scripts/install.sh

install-tests:
	@Scripts/install.sh tests

build: ## Builds the nunchi command in release mode
	swift build $(FLAGS) --product nunchi

demo: install build ## Decodes plainly and speculatively, side by side, on SmolLM2-135M
	$(NUNCHI) models fetch SmolLM2-135M
	$(NUNCHI) demo

test: install-tests lint build-tests fetch example run-tests ## Runs the test suite (98 MB model)

test-all: install-tests lint build-tests fetch-all example run-tests test-slurm ## Runs it with all models (2 GB), and with Slurm

test-slurm: install build fetch ## Tests Scripts/slurm on a Slurm of one machine (root, 4 minutes)
	Scripts/slurm/test.sh

drafters: install build ## Trains the shipped drafters again (hours)
	Scripts/make_drafters.sh

bench: install build fetch-all ## Compares with llama.cpp in one interleaved run (slow)
	python3 Benchmarks/compare_peers.py

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
	.build/release/Example
	swift build $(FLAGS) --product AffineTreeExample
	.build/release/AffineTreeExample

run-tests:
	swift test $(FLAGS) --skip-build
