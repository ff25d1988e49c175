# Needs cargo, python3 (3.11.5 or later) and a C compiler; everything else goes into .venv.
# `make help` lists the targets.

PORT ?= 4566

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

tools := .venv/local.installed
stack := .venv/bin/python infra/local/stack.py
workspace := --locked --workspace --exclude webhook-gateway-fuzz
# One build for the demo, the tests and the local AWS. Another choice of packages would compile the AWS SDKs
# again.
build := cargo build $(workspace) --bins

# The console is tested in Chromium. Where there is none, these tests are left out; `.ci/run` installs it.
browser := $(and $(shell command -v chromedriver),$(shell command -v chromium || command -v google-chrome))
no_browser := chromium with chromedriver (on Debian: apt install chromium chromium-driver)

.PHONY: help check venv build up down demo console test test-js test-moto lint advisories e2e aws-smoke bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo console up e2e test: port := $(PORT)
check: ## check that this machine has all that the other targets need
	@command -v python3 > /dev/null || \
		{ echo "error: there is no python3 on PATH; 3.11.5 or later is needed" >&2; exit 1; }
	@python3 infra/local/check.py $(port)

venv: $(tools) ## install the pinned tools of the local AWS and the tests into .venv

.venv/%.installed: infra/local/requirements/%.txt | check
	@echo "== tools: $$(grep -c == $<) packages of $< into .venv"
	test -x .venv/bin/python || python3 -m venv .venv
	@.venv/bin/pip install --disable-pip-version-check --progress-bar off --no-deps --require-hashes -r $< || \
		{ echo "error: pip failed, as it says above; the likely cause is the network, or a proxy" >&2; exit 1; }
	@touch $@

.venv/build.installed .venv/lint.installed: | $(tools)
.venv/moto.installed: | .venv/lint.installed

build: $(tools) .venv/build.installed ## build the functions for AWS (sam build; ARCH=arm64)
	@$(stack) build $(ARCH)

up: $(tools) ## start the local AWS, deploy to it, write .local/outputs.json (PORT=4566)
	@$(stack) up $(PORT)

down: $(tools) ## stop the local AWS
	@$(stack) down

demo: $(tools) ## send every provider's samples through a local deployment and show what became of them
	@$(stack) during $(PORT) .venv/bin/python infra/local/demo.py

console: $(tools) ## the demo, and a browser that shows what became of it
	@$(stack) during $(PORT) .venv/bin/python infra/local/demo.py --console

test: $(tools) ## unit and integration tests, and end to end against the local AWS
	@echo "== test: build"
	$(build)
	@echo "== test: unit and integration"
	cargo test $(workspace) --lib --bins --test it
	@$(MAKE) --no-print-directory e2e

test-js: $(tools) ## every message by the CloudEvents SDK for JavaScript too (needs node and npm)
	npm ci --prefix tests/cloudevents --ignore-scripts --no-audit --no-fund
	$(build)
	CLOUDEVENTS_JAVASCRIPT=1 cargo test $(workspace) --test it -- vectors::strict hostile::no_request

test-moto: $(tools) .venv/moto.installed ## the integration tests with another emulator of AWS, moto
	$(build)
	@echo "== test: integration, by moto; left out, as tests/it/moto.txt says why:"
	@grep -v '^#' tests/it/moto.txt
	AWS_EMULATOR=moto cargo test $(workspace) --test it -- --exact \
		$$(sed -n 's/^\([a-z][^ ]*\) .*/--skip \1/p' tests/it/moto.txt)

lint: $(tools) .venv/lint.installed ## formatting, clippy, documentation, dependencies, templates
	@echo "== lint: cargo"
	cargo fmt --all --check
	cargo clippy $(workspace) --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc $(workspace) --no-deps --document-private-items
	@echo "== lint: dependencies"
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@echo "== lint: templates"
	sam validate --lint --region us-east-1
	cfn-lint
	checkov

advisories: .venv/lint.installed ## known vulnerabilities of the dependencies (asks GitHub for the list)
	cargo deny --locked check advisories

e2e: $(tools) ## the end-to-end tests alone
	@echo "== test: end to end"
	@$(if $(browser),,echo "skipped: the tests of the console in a browser, because there is no $(no_browser)")
	@# They wait more than they work, hence 16 at once.
	@$(stack) during $(PORT) cargo test $(workspace) --test e2e -- --test-threads 16 \
		$(if $(browser),,--skip console::)

aws-smoke: $(tools) ## try a stack on AWS, for some cents (STACK=webhook-gateway); not tried yet
	$(build)
	.venv/bin/python infra/aws_smoke.py \
		$(or $(STACK),$(error name the stack: make aws-smoke STACK=webhook-gateway))

bench: $(tools) ## benchmarks of the release build: the costs of a webhook and of a function
	cargo bench --locked

clean: ## stop the local AWS and remove everything built; .venv stays
	@test ! -e .local || $(stack) down
	rm -rf .aws-sam .local
	cargo clean
