# lefthand: a box at the piano that plays the left hand. `make help` lists what there is.
PYTHON ?= $(firstword $(shell command -v python3.11 || command -v python3.12 || command -v python3))
DATA ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
OUT := out
# tests against real servers run a second time if they fail: a busy machine may stop for a second, but not twice
REAL := $(BIN)/python -m pytest --reruns 1
UNIT := $(BIN)/python -m pytest --dist loadfile --durations 20
FIGURES := tests/unit/training/playing_figures
export LEFTHAND_DATA := $(DATA)
# they reach the recipes through the environment, because the shell would read a quote in them
export HOST BUNDLE HOTSPOT
# the tests start hundreds of Pythons, and without its bytecode each compiles our modules again
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-page screens flood test unit unit-first unit-later browser host host-patient host-quiet ssh box box-provision box-service test-pi provision unprovision flash rollback slots logs doctor keygen man fuzz soak cost pi-cost kills timed lint lint-types lint-tests train parcel gpu-fit export listen evaluate peers clean

help: ## prints this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.play: pyproject.toml deploy/system-packages.sh
	deploy/system-packages.sh play
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[play]'
	@touch $@

$(VENV)/.page: $(VENV)/.play
	$(BIN)/pip install --quiet --editable '.[play,page]'
	@touch $@

# all at once, so that pip chooses and builds once. The modules that are needed, less than half of them, are compiled
# when they are first imported, on all cores
$(VENV)/.all: pyproject.toml deploy/system-packages.sh
	deploy/system-packages.sh all
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --no-compile --editable '.[play,live,page,train,deploy,dev,peers]'
	@touch $(VENV)/.play $@

$(VENV)/.deploy: $(VENV)/.play
	$(BIN)/pip install --quiet --editable '.[play,deploy]'
	@touch $@

setup: $(VENV)/.all ## installs everything that a workstation needs, into .venv

demo: $(VENV)/.play ## plays the demo recording and writes both hands to out/demo
	@mkdir -p $(OUT)/demo
	$(BIN)/lefthand play demo/right-hand.flac --progress --midi $(OUT)/demo/left-hand.mid --notes $(OUT)/demo/notes.csv \
	  --audio $(OUT)/demo/both-hands.wav --plot $(OUT)/demo/roll.png --report $(OUT)/demo/report.json
	@deploy/after-demo.sh $(OUT)/demo

demo-page: $(VENV)/.page ## opens the page of a box that hears the demo recording in a loop (no sound card needed)
	$(BIN)/lefthand page --demo demo/right-hand.flac

# the tests of training and the browsers run with low priority beside tests that mostly wait; the tests of the last line
# need a quiet machine
test: setup ## runs all tests: unit, browser (Chromium, Firefox), ssh (a real sshd), host (a real JACK server), box (systemd; needs root)
	$(MAKE) --no-print-directory --jobs=3 --output-sync=target unit-first ssh box-provision
	$(MAKE) --no-print-directory --jobs=4 --output-sync=target host-patient box-service browser unit-later
	$(MAKE) --no-print-directory host-quiet

unit: setup ## runs the tests that need no device
	$(UNIT) tests/unit --numprocesses auto

# the two parts of `unit`: most tests, and the tests of training, which compute for minutes. These run in one process, so
# that beside them a core is free for what plays in real time: with two, JACK lost the instruments of the host and the
# box tests. The figures of playing are with the others, so that both lines of `test` last equally long
unit-first: setup
	$(UNIT) $(filter-out %/training %/__pycache__,$(wildcard tests/unit/*)) $(FIGURES) --numprocesses auto

unit-later: setup
	nice -n 19 $(UNIT) tests/unit/training --ignore $(FIGURES) --numprocesses 1

browser: setup ## runs the tests of the page in a real Chromium and Firefox
	nice $(REAL) tests/browser --numprocesses 2 --dist loadfile

host: setup ## runs the tests of PortAudio and RtMidi against a real JACK server
	$(REAL) tests/host

# the two parts of `host`: tests that mostly wait, and tests that need a quiet machine
host-patient: setup
	$(REAL) tests/host -m 'not quiet'

host-quiet: setup
	$(REAL) tests/host -m quiet

ssh: setup ## runs the tests of flashing against a real sshd: cuts, refusals, trials
	$(REAL) tests/ssh --numprocesses 3 --dist worksteal

box: setup ## runs the tests of the service under systemd in a test machine (root; the first run builds it in minutes)
	$(REAL) tests/box

# the two halves of `box`: tests that need no quiet machine, and tests that do
box-provision: setup
	$(REAL) tests/box/test_rig.py tests/box/test_provision.py

box-service: setup
	$(REAL) tests/box --ignore tests/box/test_rig.py --ignore tests/box/test_provision.py

timed: setup ## runs the ssh, box and host tests with their limits in seconds, on a quiet machine (root)
	LEFTHAND_TIMED=1 $(BIN)/python -m pytest tests/ssh/test_flash.py -rP
	LEFTHAND_TIMED=1 $(BIN)/python -m pytest tests/box --ignore tests/box/test_provision.py -rP
	LEFTHAND_TIMED=1 $(BIN)/python -m pytest tests/host -rP
	LEFTHAND_TIMED=1 $(BIN)/python -m pytest tests/browser/test_flood.py tests/unit/device/test_full_speed.py -rP

test-pi: setup ## provisions and flashes a bare Debian arm64 under qemu (root; an hour or more) [SUITE=trixie]
	deploy/system-packages.sh pi
	LEFTHAND_TEST_PI=$(or $(SUITE),bookworm) $(BIN)/python -m pytest tests/pi

flash: $(VENV)/.deploy ## sends a new bundle to HOST="pi@one pi@two"; one that fails is rolled back [BUNDLE=folder]
	$(BIN)/python -m deploy flash --host "$$HOST" $(if $(BUNDLE),--bundle "$$BUNDLE")

rollback: $(VENV)/.deploy ## lets HOST=… play its previous bundle again
	$(BIN)/python -m deploy rollback --host "$$HOST"

slots: $(VENV)/.deploy ## lists the bundles of HOST=…, and which one plays
	$(BIN)/python -m deploy slots --host "$$HOST"

logs: $(VENV)/.deploy ## prints the log of the service on HOST=…
	$(BIN)/python -m deploy logs --host "$$HOST"

doctor: $(VENV)/.deploy ## lists the problems of HOST=…
	$(BIN)/python -m deploy doctor --host "$$HOST"

keygen: $(VENV)/.deploy ## makes the key that signs bundles, if there is none
	$(BIN)/python -m deploy keygen

provision: $(VENV)/.deploy ## turns HOST=pi@host into the box, or updates it [HOTSPOT=name] [DRY=1]
	$(BIN)/python -m deploy provision --host "$$HOST" $(if $(HOTSPOT),--hotspot "$$HOTSPOT") $(if $(DRY),--dry-run)

unprovision: $(VENV)/.deploy ## removes the box's software from HOST=pi@host and lists what it keeps [PURGE=1] [DRY=1]
	$(BIN)/python -m deploy unprovision --host "$$HOST" $(if $(PURGE),--purge) $(if $(DRY),--dry-run)

fuzz: setup ## reads mutated files of every format that a person can hand over [COUNT=10000]
	$(BIN)/python -m tests.fuzz --count $(or $(COUNT),10000)

soak: setup ## runs 10 minutes live, an hour of music and 10,000 faults; prints the table of docs/soak.md (half an hour)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.soak

cost: setup ## measures the box live, beside a paced and a fast run over the same sound: % of a core, hops, threads [LASTS=60]
	$(BIN)/python -m tests.cost --seconds $(or $(LASTS),60)

pi-cost: setup ## counts the instructions of a hop on emulated aarch64, in both runtimes (five minutes)
	deploy/system-packages.sh pi-cost
	$(BIN)/python -m tests.pi_cost

kills: setup ## kills a recording at random moments: nothing older than a second may be missing (ten minutes) [COUNT=200]
	$(BIN)/python -m tests.kills --kills $(or $(COUNT),200)

screens: setup ## writes the pictures of the page in docs/screens
	$(BIN)/python -m tests.browser.screens

flood: setup ## floods the page and the control socket of a playing box, and prints whether it noticed
	$(BIN)/python -m tests.flood

man: $(VENV)/.play ## writes the manual page docs/lefthand.1 from the help of the commands
	$(BIN)/python -m deploy.manpage

# mypy keeps one core busy. Beside it pytest imports all tests, which finds a test that cannot be collected and leaves
# the bytecode of the tests and of the libraries for the many processes of `test`
lint: setup ## runs ruff and mypy, and collects all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-types lint-tests

lint-types: setup
	$(BIN)/mypy device training export deploy

lint-tests: setup
	@$(BIN)/python -m pytest --collect-only --quiet --quiet tests/unit >$(VENV)/collected || { cat $(VENV)/collected; exit 1; }

train: setup ## fits both models from DATA=… (half a day on two cores; can be resumed)
	$(BIN)/python -m training prepare --data $(DATA)
	$(BIN)/python -m training banks --data $(DATA)
	$(BIN)/python -m training scenes --split valid --count 12 --data $(DATA)
	$(BIN)/python -m training scenes --split gate --count 8 --data $(DATA)
	$(BIN)/python -m training scenes --split gate --corpus quiet --count 30 --data $(DATA)
	$(BIN)/python -m training scenes --split train --count 600 --data $(DATA)
	for corpus in pop909 lieder chopin; do \
	  $(BIN)/python -m training scenes --split train --corpus $$corpus --first 600 --count 100 --kind bleed --data $(DATA) || exit 1; done
	$(BIN)/python -m training hear --steps 6000 --net '{"later": [5, 3, 1, 0, 0, 0, 0, 0]}'
	$(BIN)/python -m training gate
	$(BIN)/python -m training play --steps 700

parcel: setup ## packs pianos, pieces and noises for `make gpu-fit` on another machine (50 MB, in .cache/parcel)
	$(BIN)/python -m training prepare --data $(DATA)
	$(BIN)/python -m training banks --data $(DATA)
	$(BIN)/python -m training parcel --data $(DATA)

# needs python3 with jax for the GPU, and keras, scipy, soxr, soundfile, click and tqdm; no other part of this project
gpu-fit: ## on a machine with a GPU: unpacks .cache/parcel, renders on all cores, fits into out/gpu-fit [BEGIN=sixteenth MINUTES=9]
	KERAS_BACKEND=jax OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(or $(GPU_PYTHON),python3) -m training gpu-fit \
	  --parcel .cache/parcel --begin $(or $(BEGIN),sixteenth) --minutes $(or $(MINUTES),9) --rate 0.005 --scenes 15360 \
	  --net '{"width": 32, "mix": 40, "memory": 64, "later": [5, 3, 1, 0, 0, 0, 0, 0]}' \
	  --loss '{"frame": 20, "offset": 0, "right": 2, "velocity": 15}'

export: setup ## converts both fits to int8, checks them in both runtimes, writes the bundle
	$(BIN)/python -m export --transcriber .cache/fits/transcriber --accompanist .cache/fits/accompanist --out device/bundles/default

listen: setup ## writes out/listen/index.html: left hands to listen to, with piano rolls and figures, and blind.html: a blind test [INPUTS="my.mid recorded-run/"]
	$(BIN)/python -m training listen $(INPUTS)

evaluate: setup peers ## measures the shipped .tflite files and Basic Pitch
	$(BIN)/python -m training evaluate hearing --data $(DATA)
	$(BIN)/python -m training evaluate playing

peers: $(VENV)/.peers ## installs Basic Pitch for the comparison

$(VENV)/.peers: $(VENV)/.all
	$(BIN)/pip install --quiet --no-deps basic-pitch==0.4.0
	@touch $@

clean: ## removes the files of demo and builds (never .cache)
	rm -rf $(OUT) build dist *.egg-info
