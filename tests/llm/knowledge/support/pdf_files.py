"""Small PDF files, written by hand: pages of lines, an outline, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence


def pdf(pages: Sequence[Sequence[str]], outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF with ``pages`` of lines; ``outline`` lists headings with their page from 1."""
    objects: list[bytes] = []

    def add(body: str) -> int:
        objects.append(body.encode("latin-1"))
        return len(objects)

    catalogue, tree, font = add(""), add(""), add("")
    objects[font - 1] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    numbers = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj T* " for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 50 780 Td {shown}ET"
        content = add(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        numbers.append(
            add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R "
                f"/Resources << /Font << /F1 {font} 0 R >> >> >>"
            )
        )
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects[tree - 1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>".encode()
    more = ""
    if outline:
        root = len(objects) + 1
        items = [root + 1 + place for place in range(len(outline))]
        add(
            f"<< /Type /Outlines /First {items[0]} 0 R /Last {items[-1]} 0 R /Count {len(items)} >>"
        )
        for place, (title, page) in enumerate(outline):
            chain = f" /Next {items[place + 1]} 0 R" if place + 1 < len(items) else ""
            chain += f" /Prev {items[place - 1]} 0 R" if place else ""
            add(
                f"<< /Title ({_escaped(title)}) /Parent {root} 0 R "
                f"/Dest [{numbers[page - 1]} 0 R /Fit]{chain} >>"
            )
        more = f" /Outlines {root} 0 R"
    objects[catalogue - 1] = f"<< /Type /Catalog /Pages {tree} 0 R{more} >>".encode()
    return _written(objects)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _written(objects: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)
