"""The package of lefthand, the box at the piano: it hears a right hand and plays the left hand.

The rooms are packages with one subject each. They form four groups:

- The way of the sound: `hearing` -> `following` (or a clock of `clock`) -> `left_hand`. `engine.py` joins them.
- In and out: `ports`; `inputs` and `outputs` for live playing; `files` and `recording` for the disk.
- The box: `settings`, `bundles`, `live`, `service`, `status`, `control`, `system`.
- For its owner: `commands`, `doctor`, `calibration`, `flash`, `page`, `demo`.

At the top is only what every room speaks (`events`, `errors`, `stream_time`, `version`), the engine, the files that
build it (`assemble`, `make_clock`) and the command line (`cli`). `docs/architecture.md` says what each room
takes in and gives out.
"""
