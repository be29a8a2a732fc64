#!/bin/sh
# Lists the files of the demo and the next commands. usage: after-demo.sh FOLDER
cat <<END

The left hand has played:
  $1/left-hand.mid     the left hand alone
  $1/both-hands.wav    both hands: listen to this
  $1/roll.png          what was heard and what was played, beats and lock
  $1/notes.csv         every note heard
  $1/report.json       beats, chords and messages (docs/report.schema.json)

With a recording of your own (begin with four even notes on one key):
  .venv/bin/lefthand play my.wav --audio both.wav --plot roll.png
At the piano, on a Raspberry Pi or on this machine: see "At the piano" in README.md
END
