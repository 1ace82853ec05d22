"""Reading pages as a browser does, to see what came out of what was put in."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

FORBIDDEN = {"base", "embed", "iframe", "object", "plaintext", "style", "math", "template"}
IN_PICTURES = {"svg", "g", "a", "rect", "path", "text", "title", "desc"}  # nothing that runs, loads or moves
ADDRESSES = {"action", "data-hx-get", "data-hx-post", "formaction", "href", "src"}
VOID = {"br", "hr", "img", "input", "link", "meta"}


@dataclass
class Element:
    """An element with its attributes and all text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """Every element of that name within it, in order."""
        return [one for child in self.children for one in ([child] if child.tag == tag else []) + child.all(tag)]

    def one(self, tag: str, **attributes: str) -> Element:
        """The only element of that name and those attributes."""
        (found,) = [
            one for one in self.all(tag) if all(one.attributes.get(key) == value for key, value in attributes.items())
        ]
        return found


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while len(self._open) > 1:
            if self._open.pop().tag == tag:
                return

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data


def read(html: str) -> Element:
    """The page as a tree."""
    tree = _Tree()
    tree.feed(html)
    tree.close()
    return tree.root


def assert_harmless(html: str) -> Element:
    """The page, after making sure that nothing in it runs, loads or sends anything but the console's own."""
    root = read(html)
    for element in _walk(root):
        assert element.tag not in FORBIDDEN, element.tag
        if element.tag == "svg":
            assert {one.tag for one in _walk(element)} <= IN_PICTURES, element
        for name, value in element.attributes.items():
            assert not name.startswith(("on", "data-hx-on", "hx-")), (element.tag, name)
            assert name not in {"style", "srcdoc"}, (element.tag, name)
            if name in ADDRESSES:
                local = value.startswith(("/", "#")) and not value.startswith("//")
                assert local, (element.tag, name, value)
        if element.tag == "script":
            assert element.attributes["src"].startswith("/static/"), element
            assert not element.text.strip(), element
        if element.tag == "meta":
            assert "http-equiv" not in element.attributes, element
    return root


def rows(root: Element) -> list[list[str]]:
    """The cells of the page's table, each as its plain value."""
    (body,) = root.all("tbody")
    return [[_value(cell) for cell in row.all("td")] for row in body.all("tr")]


def _value(cell: Element) -> str:
    for tag, name in (("data", "value"), ("time", "data-value")):
        for one in cell.all(tag):
            return one.attributes[name]
    return cell.text


def _walk(element: Element) -> list[Element]:
    return [one for child in element.children for one in [child, *_walk(child)]]
