"""A page of numbers and pictures as one HTML file that needs nothing else.

Pictures are inside as JPEG, curves as SVG, the style follows the reader's
light or dark theme, and there is no script. The page is described by plain
data (`Page`) and knows nothing of poses; report.py says what is on it.
"""

import base64
import dataclasses
import html
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from pose_jax.pages import bars, chart

Cell = str | float | int | None

_QUALITY = 88  # of a JPEG
_SHEET_QUALITY = 75


@dataclasses.dataclass(frozen=True)
class Table:
  """Columns and rows; None is shown as "n/a".

  The first column and columns of nothing but text are left-aligned, headers
  too; a column with a number in it is right-aligned.
  """

  title: str
  columns: tuple[str, ...]
  rows: tuple[tuple[Cell, ...], ...]
  note: str = ""
  decimals: int = 3
  wide: bool = False  # takes the whole row


@dataclasses.dataclass(frozen=True)
class Picture:
  """An RGB picture with the line below it, or above it if it is wide.

  Attributes:
    wide: takes the whole row. Such sheets are large: they are stored with less
      quality than other pictures.
    folded: only its line is seen until the reader opens it; for wide ones.
  """

  image: UInt8[np.ndarray, "H W 3"]
  caption: str
  wide: bool = False
  folded: bool = False


@dataclasses.dataclass(frozen=True)
class Gallery:
  """Pictures; without a title where the section's own is enough."""

  title: str
  note: str
  pictures: tuple[Picture, ...]


@dataclasses.dataclass(frozen=True)
class Section:
  """A further part of a page: two columns, and galleries below them.

  Attributes:
    note: a paragraph below the heading.
    left, right: what stands in each column, from top to bottom.
  """

  title: str
  note: str = ""
  left: tuple[Table | bars.Bars | chart.Chart, ...] = ()
  right: tuple[Table | bars.Bars | chart.Chart, ...] = ()
  galleries: tuple[Gallery, ...] = ()


@dataclasses.dataclass(frozen=True)
class Page:
  """Everything on the page, from top to bottom.

  Attributes:
    title: heading; subtitle: one line on what was measured.
    headline: (name, value) of the few numbers that matter, values as text.
    protocol: (what, how) pairs.
    tables, curves, galleries: in order.
    sections: further parts, after the galleries.
    reading: paragraphs on how to read the page.
  """

  title: str
  subtitle: str
  headline: tuple[tuple[str, str], ...]
  protocol: tuple[tuple[str, str], ...]
  tables: tuple[Table, ...] = ()
  curves: tuple[chart.Chart, ...] = ()
  galleries: tuple[Gallery, ...] = ()
  sections: tuple[Section, ...] = ()
  reading: tuple[str, ...] = ()


def render(page: Page) -> str:
  """The page as HTML; every text is escaped."""
  body = [
    f"<header><h1>{_escape(page.title)}</h1>"
    f"<p class=sub>{_escape(page.subtitle)}</p></header>",
    _headline(page.headline),
    _protocol(page.protocol),
    _pair(
      "".join(_table(t) for t in page.tables if not t.wide),
      _curves(page.curves),
    ),
    *(f"<section>{_table(t)}</section>" for t in page.tables if t.wide),
    *(_gallery(g) for g in page.galleries if g.pictures),
    *(_section(section) for section in page.sections),
    _reading(page.reading),
  ]
  return (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    f"<title>{_escape(page.title)}</title><style>{_STYLE}</style></head>"
    f"<body><main>{''.join(body)}</main></body></html>\n"
  )


def _escape(text: str) -> str:
  return html.escape(text, quote=True)


def _headline(numbers: Sequence[tuple[str, str]]) -> str:
  cards = "".join(
    f"<div class=card><b>{_escape(value)}</b><span>{_escape(name)}</span></div>"
    for name, value in numbers
  )
  return f"<section class=cards>{cards}</section>"


def _protocol(rows: Sequence[tuple[str, str]]) -> str:
  items = "".join(
    f"<div><dt>{_escape(what)}</dt><dd>{_escape(how)}</dd></div>"
    for what, how in rows
  )
  return (
    "<section><h2>How it was measured</h2>"
    f"<dl class=protocol>{items}</dl></section>"
  )


def _pair(left: str, right: str) -> str:
  return f"<section class=pair><div>{left}</div><div>{right}</div></section>"


def _section(section: Section) -> str:
  note = f"<p class=note>{_escape(section.note)}</p>" if section.note else ""
  columns = _column(section.left), _column(section.right)
  return (
    f"<section class=part><h2>{_escape(section.title)}</h2>{note}</section>"
    + (_pair(*columns) if any(columns) else "")
    + "".join(_gallery(g) for g in section.galleries if g.pictures)
  )


def _column(parts: Sequence[Table | bars.Bars | chart.Chart]) -> str:
  return "".join(
    _table(part) if isinstance(part, Table) else _figure(part) for part in parts
  )


def _table(table: Table) -> str:
  classes = [
    "" if all(isinstance(row[i], str) for row in table.rows) else " class=num"
    for i in range(len(table.columns))
  ]

  def line(tag: str, texts: Iterable[str]) -> str:
    cells = zip(texts, classes, strict=True)
    return "".join(f"<{tag}{c}>{_escape(text)}</{tag}>" for text, c in cells)

  head = line("th", table.columns)
  rows = "".join(
    f"<tr>{line('td', (_text(value, table.decimals) for value in row))}</tr>"
    for row in table.rows
  )
  note = f"<p class=note>{_escape(table.note)}</p>" if table.note else ""
  return (
    f"<h2>{_escape(table.title)}</h2><table><thead><tr>{head}</tr></thead>"
    f"<tbody>{rows}</tbody></table>{note}"
  )


def _text(value: Cell, decimals: int) -> str:
  if value is None:
    return "n/a"
  if isinstance(value, str):
    return value
  return f"{value:.{decimals}f}" if isinstance(value, float) else f"{value:,}"


def _curves(curves: Sequence[chart.Chart]) -> str:
  return "".join(_figure(curve) for curve in curves)


def _figure(part: bars.Bars | chart.Chart) -> str:
  drawn = bars.svg(part) if isinstance(part, bars.Bars) else chart.svg(part)
  return (
    f"<figure class=chart><h2>{_escape(part.title)}</h2>{drawn}"
    f"<figcaption>{_escape(part.note)}</figcaption></figure>"
  )


def _gallery(gallery: Gallery) -> str:
  figures = "".join(_picture(picture) for picture in gallery.pictures)
  title = f"<h2>{_escape(gallery.title)}</h2>" if gallery.title else ""
  note = f"<p class=note>{_escape(gallery.note)}</p>" if gallery.note else ""
  return f"<section>{title}{note}<div class=gallery>{figures}</div></section>"


def _picture(picture: Picture) -> str:
  caption = _escape(picture.caption)
  quality = _SHEET_QUALITY if picture.wide else _QUALITY
  image = f'<img alt="{caption}" src="{_inline(picture.image, quality)}">'
  if picture.folded:
    return f"<details class=wide><summary>{caption}</summary>{image}</details>"
  line = f"<figcaption>{caption}</figcaption>"
  if picture.wide:
    return f"<figure class=wide>{line}{image}</figure>"
  # As wide as the picture, so that captions wrap below it.
  width = picture.image.shape[1]
  return f'<figure style="width:{width}px">{image}{line}</figure>'


def jpeg(image: np.ndarray, quality: int = _QUALITY) -> bytes:
  """An RGB picture [H, W, 3] uint8 as a JPEG file."""
  ok, data = cv2.imencode(
    ".jpg",
    np.ascontiguousarray(image[..., ::-1]),
    [cv2.IMWRITE_JPEG_QUALITY, quality],
  )
  assert ok, "OpenCV could not encode a picture of the report"
  return data.tobytes()


def _inline(image: np.ndarray, quality: int) -> str:
  encoded = base64.b64encode(jpeg(image, quality)).decode("ascii")
  return f"data:image/jpeg;base64,{encoded}"


def _reading(paragraphs: Sequence[str]) -> str:
  if not paragraphs:
    return ""
  text = "".join(f"<p>{_escape(p)}</p>" for p in paragraphs)
  return f"<section class=reading><h2>How to read this</h2>{text}</section>"


_STYLE = """
:root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1c1e21;--soft:#666c75;
--line:#dfe1e4;--card:#fff;--grid:#e7e9ec}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e6e8eb;
--soft:#979da6;--line:#2f343a;--card:#1c1f23;--grid:#2a2e34}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1160px;margin:0 auto;padding:36px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0}
h2{font-size:16px;margin:0 0 10px}
section{margin-top:34px}
.part{border-top:1px solid var(--line);padding-top:28px;margin-top:44px}
.part h2{font-size:20px;margin-bottom:6px}
.sub,.note,figcaption,.cards span,dt{color:var(--soft)}
.sub{margin:6px 0 0}.note{margin:6px 0 12px;font-size:13px;max-width:76ch}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin-top:22px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:12px 18px;min-width:120px}
.card b{display:block;font-size:27px;line-height:1.2;font-weight:600;
font-variant-numeric:tabular-nums}
.card span{font-size:13px}
.protocol{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));
gap:9px 22px;margin:0}
dt{font-size:12px}dd{margin:0;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr));
gap:34px;align-items:start}
.pair>div:empty{display:none}.pair h2:not(:first-child){margin-top:28px}
table{border-collapse:collapse;width:100%;font-size:14px;
font-variant-numeric:tabular-nums}
th,td{padding:4px 10px;border-bottom:1px solid var(--line);text-align:left}
.num:not(:first-child){text-align:right}
th:first-child,td:first-child{padding-left:0}
th{font-weight:500;color:var(--soft);font-size:13px}
figure{margin:0}figcaption{font-size:13px;margin-top:5px}
.chart{margin-bottom:26px}
.chart svg{width:100%;max-width:600px;height:auto;display:block}
.gallery{display:flex;flex-wrap:wrap;gap:20px 18px}
.gallery img{display:block;max-width:100%;height:auto;border-radius:5px}
.gallery figure{max-width:100%}
.gallery .wide{flex-basis:100%}
.wide figcaption,summary{margin:0 0 5px}
summary{font-size:13px;color:var(--soft);cursor:pointer}
.reading p{max-width:76ch;margin:0 0 9px}
"""
