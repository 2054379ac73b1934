"""A small reader of workbooks for tests: the cells of every sheet, straight from the file."""

import re
import zipfile
from xml.etree import ElementTree

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _tree(archive, name):
    return ElementTree.fromstring(archive.read(name))  # noqa: S314  # a file the test has just written


def read_workbook(path):
    """Return the rows of every sheet by its name: texts, numbers and None for what is empty."""
    with zipfile.ZipFile(path) as archive:
        texts = ["".join(item.itertext()) for item in _tree(archive, "xl/sharedStrings.xml")]
        names = [sheet.get("name") for sheet in _tree(archive, "xl/workbook.xml").iter(f"{SHEET}sheet")]
        return {
            name: [_row(row, texts) for row in _tree(archive, f"xl/worksheets/sheet{number}.xml").iter(f"{SHEET}row")]
            for number, name in enumerate(names, 1)
        }


def _row(row, texts):
    cells = {}
    for cell in row.iter(f"{SHEET}c"):
        letters = re.match("[A-Z]+", cell.get("r")).group()
        place = 0
        for letter in letters:
            place = place * 26 + ord(letter) - ord("A") + 1
        value = cell.find(f"{SHEET}v")
        if value is not None:
            cells[place - 1] = texts[int(value.text)] if cell.get("t") == "s" else float(value.text)
    return [cells.get(place) for place in range(max(cells, default=-1) + 1)]
