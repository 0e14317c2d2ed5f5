# `make` lists the targets.

MODEL := models/all-MiniLM-L6-v2
SERVER := .build/release/bert-server
SOURCES := Package.swift Sources Tests
PYTHON := .venv/bin/python
# Flags for the server: make run ARGS='--port 9000 --threads 4'
ARGS :=
FUZZ_SECONDS := 60
# Many tests wait: three at a time keep two cores busy.
SIDE_BY_SIDE := --numprocesses 3 --dist loadfile
PREFIX := /usr/local

# Where Debian's cross libraries are not the host's own and can be had, `make test` runs them too.
EMULATED := $(if $(filter x86_64,$(shell uname -m)),test-x86 $(if $(shell command -v apt-get),test-neon))

.DEFAULT_GOAL := help
.PHONY: help run test build install model format lint test-sanitize test-races test-bounds test-neon fuzz \
  accuracy compare-exports compare-folders compare-framing compare-tokens compare-http soak bench-peers \
  bench-curves \
  bench-servers bench-tokenizers bench-rerank bench-families \
  bench-overload docs screenshots image image-test fleet-test capacity capacity-test clean \
  system system-clients system-servers system-texts system-fonts system-image system-fleet

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1	/p' Makefile | expand -t 20

run: build model ## serves the default model; ARGS='--port 9000' hands the server flags
	@exec $(SERVER) serve $(ARGS)

test: build model .venv/installed .venv/langchain/installed .venv/clients/installed system-clients $(EMULATED) ## runs every test; installs a browser and other tools for it, 2.1 GB
	swift test --disable-xctest
	BERT_SERVER=$(SERVER) $(PYTHON) -m pytest $(SIDE_BY_SIDE) Tests/EndToEnd

build: system ## builds the server for use, in .build/release
	swift build --configuration release --product bert-server

install: build ## copies the server to PREFIX=/usr/local, as bin/bert-server
	install -D $(SERVER) $(DESTDIR)$(PREFIX)/bin/bert-server

model: system ## fetches the default model into models/ unless it is there
	@python3 config/default-model/fetch.py $(MODEL)

format: system ## formats the Swift in place
	@# Links are left alone: it would put a copy in their place.
	swift format --in-place --parallel $$(find $(SOURCES) -name '*.swift' -type f)

lint: system ## says what `make format` would change, and breaches of style
	swift format lint --strict --parallel --recursive $(SOURCES)

test-sanitize: sanitize-thread sanitize-address ## every test again, with ThreadSanitizer and with Address- and UndefinedBehaviorSanitizer

test-races: system ## what runs on several threads, with ThreadSanitizer
	swift test --disable-xctest $(THREAD_SANITIZER) \
	  --filter 'HTTPTests|BatchingTests|ServingTests|ProtocolsTests|HostingTests|BERTTests.BatchInvariance'

test-bounds: system model ## what reads foreign bytes, with Address- and UndefinedBehaviorSanitizer
	swift test --disable-xctest $(ADDRESS_SANITIZER) \
	  --filter 'HTTP|JSONTests|TokenizersTests|CheckpointsTests|ServingTests|ProtocolsTests'

test-neon: system-aarch64 ## all C compiled for 64-bit ARM, its kernels against scalar, under emulation
	@mkdir -p .build/aarch64
	clang $(AARCH64_FLAGS) -fsyntax-only $(wildcard Sources/C*/*.c)
	for header in $(wildcard Sources/CKernels/neon*/*.h); do \
	  clang $(AARCH64_FLAGS) -fsyntax-only -x c-header -Wno-unused-function $$header || exit 1; \
	done
	clang $(AARCH64_FLAGS) -fsyntax-only -x c-header -Wno-unused-function \
	  Sources/CKernels/shared/float32.h
	clang $(AARCH64_FLAGS) -o .build/aarch64/kernel-checks \
	  $(wildcard Sources/CPlatform/*.c Sources/CKernels/*.c Sources/CKernels/*/*.c) \
	  $(wildcard Tests/KernelChecks/*.c) $(AARCH64_LIBRARIES)
	$(AARCH64_RUN) .build/aarch64/kernel-checks neon/float32 neon/bfloat16 neondotprod/int8 neonbf16/bfloat16 \
	  neonbf16/int8

# What functions of sets that few CPUs run have to be made of, FILE:FUNCTION:INSTRUCTION.
INSTRUCTIONS := amx/bfloat16:product:tdpbf16ps amx/int8:product:tdpbusd avxvnni/int8:tileIntegers6:vpdpbusd
.PHONY: test-x86
test-x86: system ## the kernels that this CPU runs, and those of AMX and AVX-VNNI in software, against scalar
	@mkdir -p .build/x86
	clang $(KERNEL_FLAGS) -o .build/x86/kernel-checks \
	  $(wildcard Sources/CPlatform/*.c Sources/CKernels/*.c Sources/CKernels/*/*.c) \
	  $(wildcard Tests/KernelChecks/*.c) -lm
	.build/x86/kernel-checks
	@set -e; for each in $(INSTRUCTIONS); do \
	  file=$${each%%:*}; instruction=$${each##*:}; function=$${each#*:}; function=$${function%:*}; \
	  clang $(KERNEL_FLAGS) -S -o - Sources/CKernels/$$file.c | \
	    sed -n "/^$$function:/,/^\.Lfunc_end/p" | grep -q $$instruction || \
	    { echo "Sources/CKernels/$$file.c: $$function has no $$instruction" >&2; exit 1; }; \
	done

# Swift's own report of a crash would come before the fuzzer writes the input that led to it.
fuzz: export SWIFT_BACKTRACE := enable=no
fuzz: system ## fuzzes each parser for FUZZ_SECONDS=60; findings and logs go to .build-fuzz
	BERT_SERVER_FUZZ=1 swift build --configuration release -Xswiftc -enable-testing \
	  --sanitize fuzzer --scratch-path .build-fuzz --product Fuzz
	@set -e; for name in $(or $(FUZZERS),$(notdir $(wildcard Tests/Fuzz/Corpora/*))); do \
	  mkdir -p .build-fuzz/corpora/$$name; echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	  FUZZER=$$name .build-fuzz/release/Fuzz -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	    -dict=Tests/Fuzz/limits.dict \
	    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=.build-fuzz/$$name- \
	    .build-fuzz/corpora/$$name Tests/Fuzz/Corpora/$$name > .build-fuzz/$$name.log 2>&1 \
	    || { tail -30 .build-fuzz/$$name.log; exit 1; }; \
	  grep -E 'DONE|number_of_exec|peak_rss' .build-fuzz/$$name.log; \
	done

PEERS_PYTHON := .benchmarks/venv/bin/python
bench-peers: build .benchmarks/models/.converted $(if $(findstring llama,$(PEERS)),.benchmarks/models/.llama) ## times other engines beside ours, an hour; PEERS='--peers llama,openvino'
	$(PEERS_PYTHON) Tests/Benchmarks/bench_peers.py --server $(SERVER) --models .benchmarks/models \
	  --results .benchmarks/pairs.jsonl $(PEERS)
	$(PEERS_PYTHON) Tests/Benchmarks/report.py .benchmarks/pairs.jsonl Tests/Benchmarks/results/figures.md \
	  Tests/Benchmarks/results/peers.jsonl Tests/Benchmarks/results/peers.svg

bench-families: build model .benchmarks/venv/installed ## times ModernBERT, MPNet and DeBERTa beside ONNX Runtime and OpenVINO
	$(PEERS_PYTHON) Tests/Benchmarks/convert_families.py $(MODEL) .benchmarks/families
	$(PEERS_PYTHON) Tests/Benchmarks/bench_peers.py --server $(SERVER) --models .benchmarks/families \
	  --results .benchmarks/families.jsonl --peers onnxruntime,openvino --precisions float32,bfloat16 $(PEERS)
	$(PEERS_PYTHON) Tests/Benchmarks/bench_peers.py --server $(SERVER) --models .benchmarks/families \
	  --results .benchmarks/families.jsonl --peers onnxruntime --precisions int8 $(PEERS)
	$(PEERS_PYTHON) Tests/Benchmarks/report.py .benchmarks/families.jsonl

bench-curves: build .benchmarks/models/.converted ## times lengths never seen before, and 16 to 65,536 tokens
	$(PEERS_PYTHON) Tests/Benchmarks/bench_curves.py --server $(SERVER) --models .benchmarks/models \
	  --plot Tests/Benchmarks/results/curves.svg

bench-tokenizers: build model .benchmarks/venv/installed system-texts ## times other tokenizers beside ours
	$(PEERS_PYTHON) Tests/Benchmarks/bench_tokenizers.py --server $(SERVER) --model $(MODEL) \
	  --texts /usr/share/games/fortunes

bench-rerank: build model .benchmarks/venv/installed system-texts ## reranks 1,000 documents beside ONNX Runtime and OpenVINO
	$(PEERS_PYTHON) Tests/Benchmarks/bench_rerank.py --server $(SERVER) --model $(MODEL) \
	  --work .benchmarks --texts /usr/share/games/fortunes

bench-servers: build .benchmarks/models/.converted system-servers ## loads our server and others with wrk
	swift build --configuration release --package-path Tests/Benchmarks/HelloServer \
	  --scratch-path .benchmarks/hummingbird
	$(PEERS_PYTHON) Tests/Benchmarks/bench_servers.py --server $(SERVER) --models .benchmarks/models \
	  --hummingbird .benchmarks/hummingbird/release/hello

soak: build model .benchmarks/venv/installed system-servers ## 100,000 connections reset, 10,000 idle, a million requests
	cd Tests/Benchmarks && $(abspath $(PEERS_PYTHON)) soak.py --server $(abspath $(SERVER)) \
	  --model $(abspath $(MODEL)) --plot results/soak.svg

compare-http: .benchmarks/venv/installed system-servers ## the rows of HTTP behaviour against nginx and uvicorn
	$(PEERS_PYTHON) Tests/Benchmarks/compare_http.py

compare-exports: build .venv/installed .venv/tensorflow/installed ## makes exports over TensorFlow's options and compares the answers, half an hour; needs Python 3.11
	.venv/tensorflow/bin/python Tests/EndToEnd/tensorflow_exports.py .build/exports
	BERT_EXPORTS=$(abspath .build/exports) BERT_SERVER=$(SERVER) $(PYTHON) -m pytest \
	  Tests/EndToEnd/test_tensorflow_exports.py

compare-framing: build model .venv/installed ## splits 100,000 streams of requests as three other parsers do, or says why not
	BERT_TEST_STREAMS=100000 BERT_SERVER=$(SERVER) $(PYTHON) -m pytest Tests/EndToEnd/test_framing.py

compare-tokens: build model .venv/installed ## compares tokens with Hugging Face's over every scalar and a million strings
	BERT_TEST_STRINGS=1000000 BERT_SERVER=$(SERVER) $(PYTHON) -m pytest Tests/EndToEnd/test_tokens.py

compare-folders: build .venv/folders/installed ## compares FOLDERS=400 made-up model folders with sentence-transformers and transformers
	.venv/folders/bin/python Tests/Folders/compare_folders.py --server $(SERVER) --folders $(or $(FOLDERS),400)

accuracy: build model .venv/installed system-texts ## compares the precisions' answers over 4,000 texts
	BERT_SERVER=$(SERVER) $(PYTHON) Tests/Benchmarks/accuracy.py /usr/share/games/fortunes

docs: build ## the library's documentation, in .build/docs
	@rm -rf .build/docs && mkdir -p .build/docs
	@for module in Models BERT Tokenizers; do \
	  mkdir .build/docs/$$module.symbols && \
	  swift symbolgraph-extract -module-name $$module -I .build/release/Modules \
	    $$(printf -- '-Xcc -fmodule-map-file=%s ' .build/release/*.build/module.modulemap) \
	    -I Sources/CKernels/include -target $$(uname -m)-unknown-linux-gnu \
	    -minimum-access-level public -output-dir .build/docs/$$module.symbols && \
	  docc convert Sources/$$module/$$module.docc --warnings-as-errors \
	    --additional-symbol-graph-dir .build/docs/$$module.symbols \
	    --fallback-bundle-identifier bert-server.$$module --output-dir .build/docs/$$module || exit 1; \
	done

screenshots: build model .venv/installed system-clients system-fonts ## the explorer's pictures in the README
	cd Tests/EndToEnd && BERT_SERVER=$(abspath $(SERVER)) $(abspath $(PYTHON)) screenshots.py \
	  ../Benchmarks/results

image: ## builds the container images bert-server and, without a model, bert-server:server
	docker build --build-arg REVISION=$$(git rev-parse HEAD) --tag bert-server .
	docker build --build-arg REVISION=$$(git rev-parse HEAD) --tag bert-server:server --target server .

image-test: model system-image ## builds the images with buildah and runs them with runc; a quarter of an hour
	python3 Tests/Image/image_test.py

fleet-test: build model system-fleet ## three replicas behind a proxy: restarts, deaths, hangs, a cut cable; as root
	python3 Tests/Fleet/fleet.py --server $(SERVER)

capacity: .benchmarks/venv/installed ## simulates fleets of 10 to 1,000 replicas of a measured speed
	$(PEERS_PYTHON) Tests/Fleet/capacity.py --tokens-per-second 9500 \
	  --plot Tests/Benchmarks/results/capacity.svg

capacity-test: build model ## holds that simulation to a replica under load
	python3 Tests/Fleet/load_test.py --server $(SERVER) --model $(MODEL)

bench-overload: build model .benchmarks/venv/installed system-servers ## goodput at ten times the load
	$(PEERS_PYTHON) Tests/Benchmarks/bench_overload.py --server $(SERVER) --model $(MODEL)

clean: ## removes what was built; the model stays
	rm -rf .build .build-thread .build-address .build-fuzz .build-image .benchmarks .venv

# The rest is not for calling by hand.

export TSAN_OPTIONS := halt_on_error=1
THREAD_SANITIZER := --sanitize thread --scratch-path .build-thread
# swiftc has no UndefinedBehaviorSanitizer on Linux: clang's traps watch over the C.
ADDRESS_SANITIZER := --sanitize address --scratch-path .build-address \
  -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined -Xswiftc -use-ld=lld
.PHONY: sanitize-thread sanitize-address
sanitize-thread: FLAGS := $(THREAD_SANITIZER)
sanitize-address: FLAGS := $(ADDRESS_SANITIZER)
sanitize-thread sanitize-address: sanitize-%: system model .venv/installed .venv/langchain/installed \
  .venv/clients/installed system-clients
	swift test --disable-xctest $(FLAGS)
	swift build $(FLAGS) --product bert-server
	BERT_SERVER=.build-$*/debug/bert-server $(PYTHON) -m pytest Tests/EndToEnd

# The stamp comes last, so that an installation broken off is begun again.
.venv/installed: Tests/EndToEnd/requirements.txt | system
	python3 -m venv --clear .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Large: PyTorch and what stands on it.
.venv/folders/installed: Tests/Folders/requirements.txt .venv/installed
	python3 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# A client that holds its libraries to other versions than the rest.
.venv/langchain/installed: Tests/EndToEnd/requirements-langchain.txt .venv/installed
	python3 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Clients of the protocols with libraries of their own, 0.8 GB.
.venv/clients/installed: Tests/EndToEnd/requirements-clients.txt .venv/installed
	python3 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# TensorFlow 2.15, which is the last of Keras 2: of Python 3.11 at the most.
.venv/tensorflow/installed: Tests/CheckpointsTests/Fixtures/requirements-tensorflow.txt .venv/installed
	python3.11 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  tf-models-official==2.15.0
	@touch $@

.benchmarks/models/.converted: .benchmarks/venv/installed | model
	$(PEERS_PYTHON) Tests/Benchmarks/convert.py $(MODEL) $(@D)
	@touch $@

# On its own: llama.cpp compiles for longer than the rest takes together. Its converter comes with the
# binding's source alone.
LLAMA := llama-cpp-python==0.3.36
.benchmarks/models/.llama: .benchmarks/models/.converted
	$(PEERS_PYTHON) -m pip install --quiet --disable-pip-version-check $(LLAMA)
	$(PEERS_PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps \
	  --no-binary llama-cpp-python --dest .benchmarks $(LLAMA)
	mkdir -p .benchmarks/llama
	tar --extract --gzip --file .benchmarks/llama_cpp_python-*.tar.gz --directory .benchmarks/llama \
	  --strip-components 3 --wildcards '*/vendor/llama.cpp/conver*' '*/vendor/llama.cpp/gguf-py'
	$(PEERS_PYTHON) Tests/Benchmarks/convert.py $(MODEL) $(@D) .benchmarks/llama
	@touch $@

.benchmarks/venv/installed: Tests/Benchmarks/requirements.txt | system
	python3 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Installs the Debian packages in $missing, or says how.
define INSTALL_MISSING
if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "make: installing$$missing, with apt-get; their services are neither started nor enabled"; \
	  policy=/usr/sbin/policy-rc.d; \
	  if [ ! -e $$policy ]; then \
	    trap "rm -f $$policy" EXIT; printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; \
	  fi; \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing && \
	  if command -v systemctl >/dev/null; then \
	    for unit in $$(dpkg -L $$missing | grep -o '/systemd/system/[^/]*\.service$$'); do \
	      systemctl --quiet disable $${unit##*/}; \
	    done; \
	  fi; \
	else \
	  echo "make: install what is missing, then call make again:" >&2; \
	  echo "  sudo apt-get install$$missing" >&2; \
	  echo "(elsewhere the packages of the same libraries: openssl-devel, zlib-devel, python3)" >&2; \
	  exit 1; \
	fi
endef

# Package.swift's flags, and what takes the place of a whole cross toolchain: clang and lld come with
# Swift, and nothing here needs more of the C library than crt1.o and itself.
KERNEL_FLAGS := -std=c17 -O3 -Wall -Wextra -Werror $(addprefix -I,$(wildcard Sources/C*/include))
AARCH64_FLAGS := $(KERNEL_FLAGS)
AARCH64_LIBRARIES := -lm
ifneq ($(shell uname -m),aarch64)
AARCH64_ROOT := /usr/aarch64-linux-gnu
# The host's headers come last, for libssl and zlib: they say the same on every 64-bit Linux.
AARCH64_FLAGS += --target=aarch64-linux-gnu -isystem $(AARCH64_ROOT)/include \
  -idirafter /usr/include/x86_64-linux-gnu
AARCH64_LIBRARIES := -nostdlib -no-pie -fuse-ld=lld -L$(AARCH64_ROOT)/lib \
  $(AARCH64_ROOT)/lib/crt1.o -lm -lc
AARCH64_RUN := qemu-aarch64 -L $(AARCH64_ROOT)
endif
.PHONY: system-aarch64
system-aarch64: system
	@missing=; \
	if [ -n '$(AARCH64_RUN)' ]; then \
	  test -e $(AARCH64_ROOT)/lib/crt1.o || missing="$$missing libc6-dev-arm64-cross"; \
	  command -v qemu-aarch64 >/dev/null || missing="$$missing qemu-user"; \
	fi; \
	$(INSTALL_MISSING)

system-servers: system
	@missing=; \
	command -v nginx >/dev/null || missing="$$missing nginx-light"; \
	command -v wrk >/dev/null || missing="$$missing wrk"; \
	$(INSTALL_MISSING)

system-fleet: system
	@missing=; \
	command -v haproxy >/dev/null || missing="$$missing haproxy"; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	$(INSTALL_MISSING)

system-image: system
	@missing=; \
	for each in buildah debootstrap runc; do \
	  command -v $$each >/dev/null || missing="$$missing $$each"; \
	done; \
	$(INSTALL_MISSING)

# What end-to-end tests hold answers, settings and the page to.
system-clients: system
	@missing=; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v faketime >/dev/null || missing="$$missing faketime"; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	command -v haproxy >/dev/null || missing="$$missing haproxy"; \
	$(INSTALL_MISSING)

# For the picture in Chinese.
system-fonts: system
	@missing=; \
	fc-list :lang=zh 2>/dev/null | grep -q . || missing="$$missing fontconfig fonts-wqy-microhei"; \
	$(INSTALL_MISSING)

system-texts: system
	@missing=; \
	test -e /usr/share/games/fortunes/riddles || missing="$$missing fortunes fortunes-min"; \
	$(INSTALL_MISSING)

# What is needed of the system: the toolchain, OpenSSL's and zlib's headers, Python with venv, and
# curl, with which the README's examples are tried.
HAS_HEADER = printf '\#include <%s>\n' $(1) | clang -E -x c -o /dev/null - 2>/dev/null
system:
	@command -v swift >/dev/null || { \
	  echo 'make: there is no swift in PATH: install Swift 6.2 or newer' \
	    '(https://www.swift.org/install), then call make again' >&2; exit 1; }
	@missing=; \
	$(call HAS_HEADER,openssl/ssl.h) || missing="$$missing libssl-dev"; \
	$(call HAS_HEADER,zlib.h) || missing="$$missing zlib1g-dev"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	$(INSTALL_MISSING)
