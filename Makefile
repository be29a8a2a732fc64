# lefthand: a box at the piano that plays the left hand. `make help` lists what there is.
PYTHON ?= $(firstword $(shell command -v python3.11 || command -v python3.12 || command -v python3))
DATA ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
OUT := out
export LEFTHAND_DATA := $(DATA)

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit host lint train export evaluate peers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.play: pyproject.toml deploy/system-packages.sh
	deploy/system-packages.sh play
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[play]'
	@touch $@

$(VENV)/.all: $(VENV)/.play
	deploy/system-packages.sh all
	$(BIN)/pip install --quiet --editable '.[play,live,train,dev,peers]'
	@touch $@

setup: $(VENV)/.all ## everything a workstation needs, into .venv

demo: $(VENV)/.play ## hear a left hand: plays the demo recording, writes out/demo
	@mkdir -p $(OUT)/demo
	$(BIN)/lefthand play demo/right-hand.flac --progress --midi $(OUT)/demo/left-hand.mid --notes $(OUT)/demo/notes.csv \
	  --audio $(OUT)/demo/both-hands.wav --plot $(OUT)/demo/roll.png --report $(OUT)/demo/report.json
	@deploy/after-demo.sh $(OUT)/demo

test: setup unit host ## all tests: unit, then host (a real JACK server)

unit: setup ## tests without any device
	$(BIN)/python -m pytest tests/unit

host: setup ## real PortAudio and RtMidi against a JACK server
	$(BIN)/python -m pytest tests/host

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy device training export

train: setup ## both models from DATA=… (hours on two cores; resumes)
	$(BIN)/python -m training prepare --data $(DATA)
	$(BIN)/python -m training banks --data $(DATA)
	$(BIN)/python -m training scenes --split valid --count 12 --data $(DATA)
	$(BIN)/python -m training scenes --split gate --count 8 --data $(DATA)
	$(BIN)/python -m training scenes --split train --count 600 --data $(DATA)
	$(BIN)/python -m training hear
	$(BIN)/python -m training gate
	$(BIN)/python -m training play

export: setup ## quantise both fits, check them in both runtimes, write the bundle
	$(BIN)/python -m export --transcriber .cache/fits/transcriber --accompanist .cache/fits/accompanist --out device/bundles/default

evaluate: setup peers ## the figures, from the shipped .tflite files, beside Basic Pitch
	$(BIN)/python -m training evaluate hearing --data $(DATA)
	$(BIN)/python -m training evaluate playing --data $(DATA)

peers: $(VENV)/.peers ## Basic Pitch, to compare with

$(VENV)/.peers: $(VENV)/.all
	$(BIN)/pip install --quiet --no-deps basic-pitch==0.4.0
	@touch $@

clean: ## what demo and builds left (never .cache)
	rm -rf $(OUT) build dist *.egg-info
