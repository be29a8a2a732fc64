#!/bin/sh
# What the demo left, and how to go on. usage: after-demo.sh FOLDER
cat <<END

The left hand has played:
  $1/left-hand.mid     the left hand alone
  $1/both-hands.wav    both hands: listen to this
  $1/roll.png          what was heard and what was played, beats and lock
  $1/notes.csv         every note heard
  $1/report.json       beats, chords and messages (docs/report.schema.json)

With a recording of your own (begin with four even notes on one key):
  .venv/bin/lefthand play my.wav --audio both.wav --plot roll.png
On a Raspberry Pi, at the keyboard: see "Live" in README.md
  lefthand devices, then lefthand run --config lefthand.toml
END
