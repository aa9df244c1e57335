"""Who may import whom: the table of the house, enforced.

A room maps to the rooms of pose_jax it may import, besides itself. Some
libraries may be imported in one place only.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]

MAY_IMPORT = {
  "skeleton": set(),
  "skeleton_file": {"skeleton"},
  "protocol": set(),
  "geometry": {"skeleton"},
  "parallel": {"skeleton"},
  "ops": {"skeleton"},
  "codec": {"geometry", "ops", "skeleton"},
  "models": {"ops", "skeleton"},
  "weights": {"models", "ops", "skeleton"},
  "data": {"geometry", "skeleton"},
  "train": {"models", "codec", "geometry", "ops", "skeleton", "parallel"},
  "eval": {
    *("codec", "geometry", "ops", "skeleton", "protocol", "parallel"),
    *("draw", "draw_density", "pages"),  # only the files of DRAWS
  },
  "draw": {"skeleton", "geometry"},
  "draw_scale": set(),
  "draw_attention": {"draw", "draw_scale", "skeleton"},
  "draw_density": {"draw", "skeleton"},
  # data: inspection.py and finding_pictures.py only
  "pages": {"data", "draw", "draw_attention", "geometry", "skeleton"},
}
ONLY_IN = {
  "pycocotools": ("pose_jax/eval/coco.py",),
  "orbax": ("pose_jax/train/checkpoint.py",),
  "grain": ("pose_jax/data/",),
  "tensorflow_datasets": ("pose_jax/data/",),
  "absl": ("launch/", "pose_jax/data/prefetch.py"),
  "tensorboardX": ("pose_jax/train/logbook.py",),
}
NEVER = {
  "data": ("jax", "flax", "optax"),
  "draw": ("jax", "flax"),
  "draw_attention": ("jax", "flax"),
  "draw_density": ("jax", "flax"),
  "draw_scale": ("jax", "flax"),
  "pages": ("jax", "flax"),
  "protocol": ("jax", "numpy"),
  "skeleton": ("jax", "numpy"),
  "skeleton_file": ("jax", "numpy"),
}


def files(*folders):
  return [
    p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))
  ]


def room_of(path):
  parts = path.relative_to(ROOT).with_suffix("").parts
  return parts[1] if parts[0] == "pose_jax" and len(parts) > 1 else parts[0]


def imported(path):
  """(line, dotted module) of every import; names from a package too."""
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: relative import"
      for alias in node.names:
        yield node.lineno, f"{node.module}.{alias.name}"


def is_inside(path, places):
  name = path.relative_to(ROOT).as_posix()
  return any(name.startswith(place) for place in places)


@pytest.mark.parametrize(
  "path", files("pose_jax"), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_rooms_import_what_the_table_allows(path):
  room = room_of(path)
  if room == "__init__":
    assert not list(imported(path)), "pose_jax itself imports nothing"
    return
  assert room in MAY_IMPORT, f"{room} is missing in the table"
  for line, module in imported(path):
    parts = module.split(".")
    if parts[0] == "pose_jax" and parts[1] != "__version__":
      assert parts[1] == room or parts[1] in MAY_IMPORT[room], (
        f"{path}:{line}: {room} may not import {module}"
      )
    assert parts[0] not in ("launch", "configs", "tests"), (path, line)
    assert parts[0] not in NEVER.get(room, ()), (
      f"{path}:{line}: {room} may not import {module}"
    )
  if room == "eval" and path.name not in DRAWS:
    assert not [m for _, m in imported(path) if m.startswith(DRAWING)], (
      f"{path}: in eval only {', '.join(DRAWS)} draw"
    )
  if room == "pages" and path.name not in (
    *("inspection.py", "finding_pictures.py"),
  ):
    assert not [m for _, m in imported(path) if m.startswith("pose_jax.data")]
  if room == "train":
    codecs = [m for _, m in imported(path) if m.startswith("pose_jax.codec")]
    allowed = ("pose_jax.codec.accuracy", "pose_jax.codec.targets")
    assert all(m in allowed for m in codecs), codecs


DRAWING = ("pose_jax.draw", "pose_jax.pages")
DRAWS = ("record.py", "diagnosis_record.py", "presence_record.py")


@pytest.mark.parametrize(
  "path",
  files("pose_jax", "launch", "configs"),
  ids=lambda p: p.relative_to(ROOT).as_posix(),
)
def test_libraries_stay_in_their_place(path):
  for line, module in imported(path):
    library = module.split(".")[0]
    if library in ONLY_IN:
      assert is_inside(path, ONLY_IN[library]), (
        f"{path}:{line}: {library} belongs to {ONLY_IN[library]}"
      )
    if path.is_relative_to(ROOT / "configs"):
      assert library in ("ml_collections", "configs"), f"{path}:{line}"


@pytest.mark.parametrize(
  "path",
  files("pose_jax", "launch", "configs"),
  ids=lambda p: p.relative_to(ROOT).as_posix(),
)
def test_imports_stand_at_the_top_and_no_file_is_too_long(path):
  text = path.read_text(encoding="utf-8")
  tree = ast.parse(text)
  top = {id(node) for node in tree.body}
  for node in ast.walk(tree):
    if isinstance(node, ast.Import | ast.ImportFrom):
      assert id(node) in top, f"{path}:{node.lineno}: import inside a block"
      assert "*" not in [alias.name for alias in node.names]
  assert len(text.splitlines()) <= 350, f"{path} is over 350 lines"


def test_only_parallel_says_pmap():
  words = ("jax.pmap", "process_index", "local_devices", "device_count")
  for path in files("pose_jax", "launch", "configs"):
    if path.name != "parallel.py":
      text = path.read_text(encoding="utf-8")
      assert not [w for w in words if w in text], path
