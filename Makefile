# Everything that is done with this repository. `make test` is what CI runs; `make drill` is the product at work.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release/drillctl
DIST := $(TARGET)/dist/drillctl
PREFIX ?= /usr/local
export PATH := $(abspath $(TARGET))/tools/bin:$(PATH)

# What opens a door to the outside: the crates of the language and of the record have none.
IMPURE := std::(fs|env|process)|Tcp(Stream|Listener)|UdpSocket|tokio|SystemTime|Instant::now|Timestamp::now|Zoned::now

# A line between the steps, with the time, so that a log tells what took how long.
step = @printf '\n== %s  %s\n' "$$(date +%T)" '$(1)'

.PHONY: help
help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: drill
drill: ## build drillctl and drill this checkout: backup, restore, compare, serve, report
	@tests/install drill
	cargo build --release --locked --bin drillctl
	@scenarios/quickstart/prepare $(RELEASE)
	$(RELEASE) --state target/drill/state run scenarios/quickstart.yaml

.PHONY: test
test: ## install what tests need, then run everything: lint, tests, documentation, image
	$(call step,programs that tests use)
	tests/install
	@$(MAKE) --no-print-directory lint
	$(call step,tests)
	cargo nextest run --workspace --locked
	$(call step,examples in the documentation)
	cargo test --workspace --doc --locked --quiet
	@$(MAKE) --no-print-directory test-image
	$(call step,benchmark with little data)
	@$(MAKE) --no-print-directory bench-quick
	$(call step,everything passed)

.PHONY: test-image
test-image: ## build the image from the release binary and run a drill in it
	$(call step,image)
	cargo build --release --locked --bin drillctl
	tests/image $(RELEASE)

.PHONY: bench
bench: ## measure drillctl against its peers, into docs/performance; half an hour on two cores that have nothing else to do
	@tests/install bench
	cargo build --release --locked --bin drillctl
	tests/bench/run --out docs/performance $(RELEASE)

.PHONY: bench-quick
bench-quick: ## the same with little data, to see that everything in it works
	@tests/install bench-quick
	cargo build --release --locked --bin drillctl
	python3 -B -m unittest discover --start-directory tests/bench
	tests/bench/run --quick $(RELEASE)

.PHONY: lint
lint: ## what holds without running anything: format, spelling, dependencies, clippy, rustdoc
	$(call step,format)
	cargo fmt --all --check
	$(call step,scripts)
	shellcheck .ci/run tests/documents tests/image tests/install scenarios/quickstart/prepare
	$(call step,spelling)
	typos
	$(call step,documents)
	tests/documents
	$(call step,dependencies)
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	$(call step,purity of the language and the model)
	! grep -rnE '$(IMPURE)' scenarios/src reports/src
	$(call step,clippy)
	cargo clippy --workspace --all-targets --all-features --locked -- --deny warnings
	$(call step,rustdoc)
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: audit
audit: ## dependencies against the advisory database, which is fetched from the network
	cargo deny --locked check advisories

.PHONY: dist
dist: ## the binary that is handed out
	cargo build --profile dist --locked --features full --bin drillctl

.PHONY: image
image: ## the image drillctl:latest, by the Docker engine of this host
	docker build --tag drillctl .

.PHONY: install
install: dist ## the binary, man pages and completions below PREFIX (/usr/local)
	install -D --mode 755 $(DIST) $(DESTDIR)$(PREFIX)/bin/drillctl
	$(DIST) man $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(DIST) completions bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/drillctl
	$(DIST) completions zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_drillctl
	$(DIST) completions fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/drillctl.fish

.PHONY: clean
clean: ## remove everything that was built or drilled
	cargo clean
