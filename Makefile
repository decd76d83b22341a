# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Builds, shows and tests everything from a bare Debian 12/13 or Ubuntu with make, bash and apt.
# All work is done in the toolchain root (tests/env/root.sh), which is made when it is missing and
# kept, like all that is built, in the cache directory; the tree stays clean.  `make help` lists
# the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# -- variables for the user ----------------------------------------------------------------------
# Every `VAR ?=` line's comment is part of `make help`.
KERNEL ?=#  guest kernel: trixie-backports, forky, debug; for test also all (default: test all, else trixie-backports)
CASES  ?=#  test, test-gst, test-onnx, test-packages, test-python: only cases whose names match these globs, for example CASES='boot/* R06*'
ARCH   ?= amd64#  of guest, module and programs: amd64, or arm64 (cross-built; in QEMU)
CARDS  ?= 1#  shell: number of emulated cards
SEED   ?=#  test, soak: seed of cases that do things at random; a failure names it
PART   ?=#  soak: percent of the long forms (default 100)
SHARE  ?=#  shell: directory of this machine that the guest has on /mnt/share (to read and write)
JOBS   ?= $(shell nproc)#  parallel jobs of each build

export JOBS
kernels := trixie-backports forky debug
ifneq ($(filter-out amd64 arm64,$(ARCH)),)
$(error ARCH=$(ARCH): it must be amd64 or arm64)
endif
# Kernels have a variable of the same name, with other values: theirs must not hear of this one.
unexport ARCH
MAKEOVERRIDES :=
export AX650_ARCH := $(ARCH)
ifneq ($(filter-out $(kernels) stock all,$(KERNEL)),)
$(error KERNEL=$(KERNEL): it must be trixie-backports, forky, debug or (for test) all)
endif
# `stock` is what trixie-backports was called when there was no other.
kernel := $(patsubst stock,trixie-backports,$(strip $(KERNEL)))
shell_kernel := $(or $(kernel),trixie-backports)
test_kernel := $(or $(kernel),all)
cards := $(strip $(CARDS))
share := $(strip $(SHARE))
case_args := $(if $(strip $(CASES)),--cases '$(strip $(CASES))')

# -- where things run ----------------------------------------------------------------------------
ifeq ($(AX650_ROOT),/)
# This system is the toolchain root.
cache := $(or $(AX650_CACHE),$(XDG_CACHE_HOME:%=%/ax650),$(HOME)/.cache/ax650)
in := env CARGO_TARGET_DIR=$(cache)/target
else
cache := /cache
in := tests/env/root.sh
endif
target := $(cache)/target
settings := $(if $(strip $(SEED)),AX650_SEED=$(strip $(SEED))) $(if $(strip $(PART)),AX650_PART=$(strip $(PART))) \
	$(if $(strip $(AX650_UPDATE_COSTS)),AX650_UPDATE_COSTS=1)
rig := $(in) $(if $(strip $(settings)),env $(settings)) $(target)/release/ax650-rig --arch $(ARCH)

# Programs for the guest are static: its file system has no libraries.
ifeq ($(ARCH),arm64)
triple := aarch64-unknown-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER := aarch64-linux-gnu-gcc
else
triple := x86_64-unknown-linux-gnu
endif
guest_crates := ax650 ax650-c ax650-firmware ax650-guest ax650-llm

.PHONY: help
help: ## this list
	@echo 'Targets:'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -nE 's/^([a-z-]+):.*## (.*)/  \1: \2/p' $(MAKEFILE_LIST)
	@echo 'Variables:'
	@sed -nE 's/^([A-Z]+) *\?=.*#  (.*)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -nE 's/^([A-Z]+) *\?=.*#  (.*)/  \1: \2/p' $(MAKEFILE_LIST)
	@echo '  AX650_CACHE   cache directory (~/.cache/ax650)'
	@echo '  AX650_ROOT    / = this system has the packages of tests/env/packages.txt, use it'
	@echo '  AX650_MIRROR  Debian mirror'
	@echo '  AX650_UPDATE_COSTS  1 = test stores what operations cost in tests/costs.json'

.PHONY: root
root: ## toolchain root (Debian 13; 2 minutes, once)
ifneq ($(AX650_ROOT),/)
	@$(in) true
endif

.PHONY: root-forky
root-forky: root ## root that builds modules for Debian forky's kernel (3 minutes, once)
	@tests/env/root.sh --forky true

.PHONY: kernels $(kernels:%=kernels-%)
kernels: kernels-trixie-backports ## Debian 13's own kernel for the guest, and what modules for it need (4 minutes, once)
$(kernels:%=kernels-%): kernels-%: root
	@$(in) tests/env/kernels.sh $*
kernels-forky: root-forky ## the same of Debian forky (4 minutes, once)
kernels-debug: ## kernel with KASAN, lockdep and more for the guest (20 minutes, once)

.PHONY: assets
assets: root ## models, video clips and reference tools for the demo and the tests (1 minute, once)
	@$(in) tests/env/progress.sh 'models, video clips and reference tools' tests/env/assets.sh

no_crates := 'no crates; if a download failed above, the package registry (crates.io) cannot be reached'
.PHONY: crates build build-guest
crates: root
	@$(in) tests/env/progress.sh 'fetching crates' cargo fetch --locked || { echo $(no_crates) >&2; exit 1; }
build: rig build-guest ## all programs: emulated card, test rig, command line tools
build-guest: crates
	@$(in) env RUSTFLAGS='-C target-feature=+crt-static' \
		cargo build --frozen --release -j $(JOBS) --target $(triple) $(guest_crates:%=-p %)

.PHONY: libax650
libax650: crates ## the C library with header, pkg-config and CMake files, below dist/libax650
	@$(in) sh -c 'cargo build --frozen --release -j $(JOBS) -p ax650-c && \
		AX650_C_ARCHIVE=$$CARGO_TARGET_DIR/release/libax650_c.a userlib/c/build.sh dist/libax650 /usr'

# The root with valgrind is none of the toolchain's.
memcheck_in := tests/env/other-root.sh memcheck tests/memcheck/packages.txt
.PHONY: check-c
check-c: crates ## run the C library's examples with a card in the same process, under valgrind and with AddressSanitizer
	@$(in) tests/env/progress.sh 'building the C library with a card in the same process' \
		cargo build --frozen --release -j $(JOBS) -p ax650-c --features fake --target-dir $(target)/memcheck
	@$(memcheck_in) tests/memcheck/run.sh /cache/target/memcheck/release/libax650_c.a

.PHONY: module $(kernels:%=module-%)
module: module-$(shell_kernel) ## the kernel module for the guest kernel KERNEL
$(kernels:%=module-%): module-%: kernels-%
	@$(in) tests/env/module.sh $*

# The rig makes what the chosen cases, or the guest, need: kernels, module, programs; but not roots.
roots_of = $(if $(filter amd64,$(ARCH)),$(if $(filter forky all,$(1)),root-forky))
# Cases of others need none for forky.
test_roots := $(if $(filter-out host/% trixie-backports/% debug/%,$(or $(strip $(CASES)),*)),$(call roots_of,$(test_kernel)))
.PHONY: rig
rig: crates
	@$(in) tests/env/progress.sh 'building the test rig, the emulated card and its model tool' tests/env/host-programs.sh

.PHONY: test
test: rig assets $(test_roots) ## run the tests: CASES, KERNEL, ARCH
	@$(rig) test --kernel $(test_kernel) $(case_args)

# Not part of `test`: hours.
.PHONY: soak
soak: rig assets $(test_roots) ## run the cases that have a long form, in that form (hours; default on the debug kernel): CASES, KERNEL, SEED, PART
	@$(rig) test --soak --kernel $(or $(kernel),debug) $(case_args)

# The counts are part of `test`, the times are not.
.PHONY: bench
bench: rig assets $(test_roots) ## measure calls, copies, boot, models and video, beside Axera's counts (20 minutes; both stock kernels): CASES, KERNEL
	@$(rig) bench --kernel $(test_kernel) $(case_args)

# Not part of `test`: nothing but models, many of them.
.PHONY: test-onnx
test-onnx: rig ## run the node tests of ONNX on the emulated card and compare with ONNX Runtime (15 minutes): CASES, ARCH
	@$(in) tests/onnx/run.sh $(patsubst %,'%',$(CASES))

# Not part of `test`: the same commands look with the small models of its cases.
.PHONY: test-zoo
test-zoo: rig assets ## small vision transformers, a DETR and others look at pictures on the emulated card, compared with ONNX Runtime (3 minutes)
	@$(in) tests/zoo/run.sh

# Not part of `test`, which has a small model: real weights, 93 MB of them to download.
.PHONY: test-llm demo-llm
test-llm: rig ## ask SmolLM2-135M on the emulated card and compare with ONNX Runtime, token by token (20 minutes)
	@$(in) tests/llm/run.sh test
demo-llm: rig ## ask SmolLM2-135M on the emulated card (downloads 150 MB, once)
	@$(in) tests/llm/run.sh demo

# Not part of `test`: an experiment (docs/vfio.md).
.PHONY: test-vfio
test-vfio: assets rig ## use a card over VFIO, without the driver, on Debian 13's own kernel without Rust (5 minutes, 110 MB)
	@$(in) env RUSTFLAGS='-C target-feature=+crt-static' \
		cargo build --frozen --release -j $(JOBS) --target $(triple) -p ax650-vfio -p ax650-firmware --bins
	@$(in) tests/vfio/run.sh

# Not part of `test`, which has a small model: real weights and spoken sentences, 170 MB to download.
.PHONY: test-speech demo-speech
test-speech: rig ## hear sentences with Whisper tiny.en on the emulated card, compare with faster-whisper and ONNX Runtime (5 minutes)
	@$(in) tests/llm/speech_run.sh test
demo-speech: rig ## hear sentences with Whisper tiny.en on the emulated card (downloads 170 MB, once)
	@$(in) tests/llm/speech_run.sh demo

.PHONY: python test-python check-python
python: crates ## the Python packages, as wheels, into dist/
	@$(in) tests/env/progress.sh 'building the Python packages' tests/python/build.sh dist
check-python: crates ## run the cases of the Python packages that need no guest: CASES
	@$(in) tests/python/host.sh $(patsubst %,'%',$(CASES))
test-python: rig assets python ## run the cases of the Python packages in a guest with CPython: CASES
	@$(in) tests/python/run.sh $(patsubst %,'%',$(CASES))

# The root with GStreamer is none of the toolchain's.
gst_in := tests/gst/root.sh
gst_share := $(target)/gst/share
gst_share_in := /cache/target/gst/share
.PHONY: root-gst gst check-gst test-gst
root-gst: root ## root that the GStreamer elements are built in (3 minutes, once)
	@$(gst_in) true
gst: root-gst ## the GStreamer elements and their Debian package, into dist/gst
	@$(gst_in) tests/gst/build.sh dist/gst
check-gst: root-gst assets ## format and lints of the GStreamer elements, and what can be tried of them without a guest
	@$(in) tests/gst/inputs.sh $(gst_share)/in
	@$(gst_in) tests/gst/build.sh check
	@$(gst_in) tests/gst/host.sh $(gst_share_in)
test-gst: rig assets gst ## run the cases of the GStreamer elements in a guest with GStreamer (5 minutes): CASES
	@$(in) tests/gst/inputs.sh $(gst_share)/in
	@$(gst_in) tests/gst/system.sh $(gst_share_in)
	@$(in) tests/gst/run.sh $(gst_share) $(patsubst %,'%',$(CASES))

.PHONY: check doc
check: rig assets kernels ## format, lints and host tests: what needs no guest
	@AX650_FUZZ_SECONDS=$${AX650_FUZZ_SECONDS:-1} $(rig) test --kernel trixie-backports --cases 'host/*'
doc: crates ## the library's documentation, into the cargo target directory
	@$(in) cargo doc --frozen --no-deps -j $(JOBS) -p ax650 -p ax650-uapi -p ax650-firmware

.PHONY: demo
demo: crates assets ## boot a card in a guest, read a picture, find faces in a clip, transcode it, ask models of language and speech: ARCH
	@$(in) tests/demo/build.sh
	@$(in) tests/demo/demo.sh
.PHONY: demo-vision
demo-vision: rig assets ## look for faces in a clip, and compare with ONNX Runtime (downloads 60 MB, once): ARCH
	@$(in) tests/demo/vision.sh

# On the host: the systems that packages are built and tried in are not the toolchain root.
.PHONY: packages packages-deb test-packages
packages: packages-deb ## all packages, into dist/
packages-deb: crates
	@$(in) cargo fetch --locked --manifest-path userlib/python/Cargo.toml || { echo $(no_crates) >&2; exit 1; }
	@tests/packages/build.sh
test-packages: packages assets ## install, boot, upgrade and remove the packages in Debian systems: CASES
	@CASES='$(strip $(CASES))' tests/packages/run.sh

.PHONY: shell
shell: rig assets $(call roots_of,$(shell_kernel)) ## a prompt in a guest with cards, models and clips: KERNEL, CARDS, SHARE, ARCH
	@$(in) tests/env/progress.sh 'models, picture and clip' tests/demo/inputs.sh $(cache)/target/guest/demo
# The toolchain root does not have the whole file system of this machine: the directory goes in as an open file.
ifneq ($(share),)
	@[ -d '$(share)' ] || { echo "SHARE=$(share): not a directory" >&2; exit 1; }
	@exec 7<'$(share)'; $(rig) shell --kernel $(shell_kernel) --cards $(cards) --files $(cache)/target/guest/demo \
		--share /proc/self/fd/7
else
	@$(rig) shell --kernel $(shell_kernel) --cards $(cards) --files $(cache)/target/guest/demo
endif

.PHONY: dist packages-rpm
dist: crates ## the files of a release, into dist/: source, crates, SBOM
	@$(in) dkms/dist.sh
packages: packages-rpm
packages-rpm: dist
	@AX650_ROOT_VARIANT=packaging $(in) dkms/build-rpm.sh dist

.PHONY: fmt
fmt: kernels-trixie-backports ## format all Rust code
	@$(in) cargo fmt --all
	@$(in) tests/env/module.sh fmt --fix

.PHONY: clean distclean
clean: ## remove what was built; kernels, root and downloads stay
	@tests/env/clean.sh
distclean: ## remove the whole cache directory
	@tests/env/clean.sh all
