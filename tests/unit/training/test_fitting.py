"""How a fit is divided into epochs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.fitting import divided


@given(st.integers(1, 5000), st.integers(1, 300))
def test_the_epochs_have_as_many_batches_as_were_asked_for(steps: int, most: int) -> None:
    epochs, each = divided(steps, most)
    assert 1 <= each <= most
    assert steps <= epochs * each < steps + epochs


def test_a_fit_of_sixty_batches_is_two_epochs_of_thirty() -> None:
    assert divided(60, 50) == (2, 30)
    assert divided(400, 100) == (4, 100)
    assert divided(6, 100) == (1, 6)
