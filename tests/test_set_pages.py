"""docs/sets is what the code's own data say."""

from __future__ import annotations

import pytest
from PIL import Image

from benches.set_pages import FOLDER, pages
from fastetl.etl.facts import FACTS
from fastetl.etl.layouts import BY_NAME

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_as_the_code_has_it(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "write it again: python -m benches.set_pages"


def test_every_set_has_facts_and_a_sheet_of_its_own_size() -> None:
    assert set(FACTS) == set(BY_NAME)
    for name, layout in BY_NAME.items():
        with Image.open(FOLDER / f"{name}.png") as sheet:
            assert sheet.size[0] % layout.width == 0
            assert sheet.size[1] == 6 * layout.height
