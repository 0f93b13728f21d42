# Everything runs on the Node.js that `npm ci` brings, whatever the machine has.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help test check unit sim s3 kube e2e bench docs demo parts clean

help: ## lists the targets
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

test: node_modules/.package-lock.json check parts ## installs what it needs and runs everything
	@node scripts/run-tests.ts unit sim s3 kube e2e

check: node_modules/.package-lock.json ## types, lint, format, import rules, generated docs
	@node scripts/check.ts

unit: node_modules/.package-lock.json ## tests beside the source
	@node scripts/run-tests.ts unit

sim: node_modules/.package-lock.json ## deterministic simulations
	@node scripts/run-tests.ts sim

s3: node_modules/.package-lock.json parts ## tests against real S3 servers
	@node scripts/run-tests.ts s3

kube: node_modules/.package-lock.json ## tests against a real kube-apiserver
	@node e2e/tools/install.ts kube
	@node scripts/run-tests.ts kube

e2e: node_modules/.package-lock.json parts ## tests of whole processes
	@node scripts/run-tests.ts e2e

bench: node_modules/.package-lock.json ## `make bench NAME=store`: runs bench/NAME.bench.ts
	@node bench/run.ts $(NAME)

docs: node_modules/.package-lock.json ## writes the generated pages of docs/
	@node scripts/generate-docs.ts

demo: node_modules/.package-lock.json ## a broker over a folder, a stock client, a kill -9, nothing lost
	@node scripts/demo.ts

parts: node_modules/.package-lock.json ## installs the real servers into the cache (see docs/testing.md)
	@node e2e/tools/install.ts

node_modules/.package-lock.json: package-lock.json
	npm ci
	@touch $@

clean: ## removes what was built or installed in the checkout; the cache of real servers stays
	rm -rf node_modules dist firn-data *.tgz
