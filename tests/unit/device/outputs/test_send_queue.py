"""The outbox: whatever is asked, what is struck is let go."""

from __future__ import annotations

import mido
from hypothesis import given
from hypothesis import strategies as st

from device.events import Send
from device.outputs.send_queue import SendQueue

sends = st.builds(
    Send,
    due_s=st.floats(0, 10),
    sent_s=st.just(0.0),
    kind=st.sampled_from(["note_on", "note_off"]),
    pitch=st.integers(40, 46),
    velocity=st.integers(1, 127),
)


def on(due_s: float, pitch: int) -> Send:
    return Send(due_s, 0.0, "note_on", pitch, 64)


def off(due_s: float, pitch: int) -> Send:
    return Send(due_s, 0.0, "note_off", pitch, 0)


def emptied(outbox: SendQueue) -> list[mido.Message]:
    messages = []
    while outbox.next_due_s is not None:
        messages += outbox.pop()
    return messages


def told(messages: list[mido.Message]) -> list[tuple[str, int]]:
    return [(m.type, m.note) for m in messages if m.type != "control_change"]


@given(st.lists(st.lists(sends, max_size=6), max_size=12), st.integers(0, 40))
def test_after_any_messages_and_a_panic_every_note_on_has_had_one_note_off(
    batches: list[list[Send]], popped: int
) -> None:
    outbox = SendQueue()
    messages: list[mido.Message] = []
    for batch in batches:
        outbox.put(batch)
        if outbox.next_due_s is not None and popped:
            popped -= 1
            messages += outbox.pop()
    messages += outbox.panic()
    down = set()
    for message in messages:
        if message.type == "note_on":
            assert message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            down.discard(message.note)
    assert not down
    assert not outbox.down


def test_messages_come_by_due_time_and_then_in_the_order_of_asking() -> None:
    outbox = SendQueue()
    outbox.put([on(1, 60), off(2, 60)])
    outbox.put([on(2, 60), on(0.5, 50)])
    assert told(emptied(outbox)) == [("note_on", 50), ("note_on", 60), ("note_off", 60), ("note_on", 60)]


def test_a_panic_names_each_key_and_then_says_it_to_all() -> None:
    outbox = SendQueue(channel=3, transpose=12)
    outbox.put([on(0, 50), on(0, 40), on(9, 45), Send(0, 0, "control", 64, 127)])
    for _ in range(3):
        outbox.pop()
    silence = outbox.panic()
    assert told(silence) == [("note_off", 52), ("note_off", 62)]
    assert [(m.control, m.value) for m in silence if m.type == "control_change"] == [(64, 0), (123, 0)]
    assert {m.channel for m in silence} == {3}
    assert outbox.next_due_s is None


def test_a_key_beyond_midi_is_left_out() -> None:
    outbox = SendQueue(transpose=36)
    outbox.put([on(0, 100), off(1, 100), on(0, 60), off(1, 60)])
    assert told(emptied(outbox)) == [("note_on", 96), ("note_off", 96)]
