# SPDX-License-Identifier: MIT
# The two commands of the README, and the few others. The build itself is Meson's: see meson.build.
BUILD := build

.PHONY: all demo check bench soak fuzz mutants kernels setup install clean
all: setup
	@tools/build.sh $(BUILD)

setup:
	@tools/setup.sh

demo:
	@tools/demo.sh $(BUILD)

check:
	@command -v python3 >/dev/null || tools/setup.sh
	@tools/check.py

bench: all
	@tools/bench.py $(BUILD)

# Longer than a check may take: every experiment five times over, 4,000 transfers to and from this kernel, 200,000 seeds, the model check with wider bounds, ten minutes for each fuzzer.
soak: all
	@$(BUILD)/lastack sim --seed 1000000 --runs 200000
	@$(BUILD)/tests/sim/model_check --soak
	@$(BUILD)/lastack interop --seed 1000 --transfers 2000
	@$(BUILD)/lastack interop transfers --seed 2000 --transfers 2000 --impair loss=5,dup=5,reorder=10,delay=10
	@for i in 1 2 3 4 5; do $(BUILD)/lastack lab run all || exit 1; done
	@tools/fuzz.sh 600

# Breaks the engine on purpose, some 300 times, and prints which test noticed.
mutants: setup
	@tools/mutants.py

# trace, run and top on Debian's 6.1 and 6.12, in QEMU (which it asks for).
kernels: all
	@tools/kernels.sh $(BUILD)

fuzz: setup
	@tools/fuzz.sh 60

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf build build-*
