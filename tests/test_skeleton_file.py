"""Skeletons from files: what is read, and a sentence for every mistake."""

import pathlib

import pytest

from pose_jax.skeleton import COCO17, LSP14, Link
from pose_jax.skeleton_file import SkeletonError, find_skeleton, read_skeleton

FOLDER = pathlib.Path(__file__).parents[1] / "configs" / "skeletons"

SMALL = """
name = "bird"
keypoints = ["beak", "left_wing", "right_wing", "tail"]
sigmas = [0.03, 0.08, 0.08, 1]
flip_pairs = [["right_wing", "left_wing"]]
bones = [["beak", "left_wing"], ["tail", "beak"]]
links = [["beak", "tail", "physical", "lower"]]
lower = ["tail"]
pck_reference = ["tail", "beak"]
category = "fowl"
"""


def write(folder, text):
  path = folder / "bird.toml"
  path.write_text(text, encoding="utf-8")
  return path


def without(key):
  return "\n".join(
    line for line in SMALL.splitlines() if not line.startswith(key)
  )


def test_the_documented_file_is_coco():
  assert read_skeleton(FOLDER / "coco17.toml") == COCO17


def test_every_example_can_be_read_and_is_named_after_its_file():
  names = [path.stem for path in sorted(FOLDER.glob("*.toml"))]
  assert names == ["coco17", "hand21", "mouse_top"]
  for name in names:
    skeleton = read_skeleton(FOLDER / f"{name}.toml")
    assert skeleton.name == name
    joined = {i for bone in skeleton.bones for i in bone}
    assert joined == set(range(skeleton.num_keypoints))


def test_names_become_indices(tmp_path):
  skeleton = read_skeleton(write(tmp_path, SMALL))
  assert skeleton.keypoints == ("beak", "left_wing", "right_wing", "tail")
  assert skeleton.flip_pairs == ((1, 2),)  # sorted, as in the built-in sets
  assert skeleton.flip_permutation == (0, 2, 1, 3)
  assert skeleton.bones == ((0, 1), (3, 0))
  assert skeleton.links == (Link(0, 3, "physical", "lower"),)
  assert (skeleton.upper, skeleton.lower) == ((0, 1, 2), (3,))
  assert skeleton.oks_sigmas == (0.03, 0.08, 0.08, 1.0)
  assert skeleton.pck_pair == (3, 0)
  assert (skeleton.name, skeleton.category) == ("bird", "fowl")


def test_what_is_left_out_has_a_default(tmp_path):
  text = 'name = "a"\nkeypoints = ["x", "y", "z"]\nsigmas = 0.05'
  skeleton = read_skeleton(write(tmp_path, text))
  assert skeleton.oks_sigmas == (0.05,) * 3
  assert skeleton.flip_permutation == (0, 1, 2)
  assert skeleton.links == skeleton.bones == skeleton.lower == ()
  assert skeleton.upper == (0, 1, 2)
  assert skeleton.pck_pair is None and skeleton.category == "person"


def test_a_half_has_what_the_other_does_not_name(tmp_path):
  text = SMALL.replace('lower = ["tail"]', 'upper = ["tail", "beak"]')
  skeleton = read_skeleton(write(tmp_path, text))
  assert (skeleton.upper, skeleton.lower) == ((0, 3), (1, 2))


def test_a_head_box_leaves_pck_without_a_pair(tmp_path):
  text = SMALL.replace('["tail", "beak"]\ncat', '"head box"\ncat')
  assert read_skeleton(write(tmp_path, text)).pck_pair is None


# What is replaced in SMALL, by what, and what is said about it.
WRONG = [
  ('name = "bird"', 'nmae = "bird"', "no key 'nmae': did you mean name"),
  ('name = "bird"', "", "name is missing: reports call"),
  ('name = "bird"', "name = 3", "name is 3: it must be a text"),
  ('name = "bird"', 'name = "lsp14"', "name is 'lsp14', but this is not"),
  ('name = "bird"', "name = ", "is no valid TOML: "),
  ('"tail"]\nsigmas', '"beak"]\nsigmas', "'beak' twice, at places 1 and 4"),
  ('"tail"]\nsigmas', "7]\nsigmas", "an entry of keypoints is 7"),
  ('"tail"]\nsigmas', '" "]\nsigmas', "an entry of keypoints is ' '"),
  ("[0.03,", "[", "sigmas has 3 numbers for 4 keypoints"),
  ("[0.03,", "[0,", "sigmas has 0 for 'beak': wanted a number above 0"),
  ("0.08, 1]", "0.08, 1.5]", "sigmas has 1.5 for 'tail'.* at most 1"),
  ("0.08, 1]", "0.08, true]", "sigmas has True for 'tail'"),
  ("0.08, 1]", "0.08, nan]", "sigmas has nan for 'tail'"),
  ("[0.03, 0.08, 0.08, 1]", "-1", "sigmas has -1 for 'beak'"),
  (
    '["right_wing", "left_wing"]',
    '["rigth_wing", "left_wing"]',
    "flip_pairs names 'rigth_wing', .*did you mean right_wing",
  ),
  (
    '["right_wing", "left_wing"]',
    '["beak", "beak"]',
    "flip_pairs pairs 'beak' with itself",
  ),
  (
    '["right_wing", "left_wing"]',
    '["right_wing", "left_wing"], ["left_wing", "tail"]',
    "flip_pairs has 'left_wing' in two pairs",
  ),
  (
    '["right_wing", "left_wing"]',
    '["right_wing", "left_wing"], ["left_wing", "right_wing"]',
    r"flip_pairs has \['left_wing', 'right_wing'\] twice",
  ),
  (
    '["right_wing", "left_wing"]',
    '["left_wing", "beak"]',
    r"flip_pairs lacks \['left_wing', 'right_wing'\]: left and right change",
  ),
  (
    '["right_wing", "left_wing"]',
    '["left_wing"]',
    r"flip_pairs has \['left_wing'\]: wanted two keypoints",
  ),
  ('[["right_wing", "left_wing"]]', '"none"', "flip_pairs is 'none'.* a list"),
  ('["tail", "beak"]]', '["tail", "claw"]]', "bones names 'claw'.*wanted beak"),
  ('["tail", "beak"]]', '["tail", 3]]', "bones names 3, which is no keypoint"),
  ('"physical"', '"limb"', "'limb': it must be physical or virtual"),
  ('"lower"]]', '"middle"]]', "'middle': it must be upper or lower"),
  (', "lower"]]', "]]", "links has .*wanted .start, end, kind, half"),
  ('[["beak", "tail", "ph', '[["beak", "tale", "ph', "links names 'tale'"),
  ('[["beak", "tail", "ph', '[["tail", "tail", "ph', "'tail' with itself"),
  ('["tail"]\npck', '["tall"]\npck', "lower names 'tall'.*did you mean tail"),
  (
    'lower = ["tail"]',
    'lower = ["tail"]\nupper = ["tail", "beak", "left_wing", "right_wing"]',
    "upper and lower both name 'tail'",
  ),
  (
    'lower = ["tail"]',
    'lower = ["tail"]\nupper = ["beak", "left_wing"]',
    "upper and lower do not name 'right_wing'",
  ),
  ('["tail", "beak"]\ncat', '"torso"\ncat', "pck_reference is 'torso': wanted"),
  (
    '["tail", "beak"]\ncat',
    '["beak", "eye"]\ncat',
    "pck_reference names 'eye'",
  ),
  ('"fowl"', "[]", r"category is \[\]: it must be a text"),
]


@pytest.mark.parametrize("old, new, message", WRONG)
def test_mistakes_name_the_file_and_the_entry(tmp_path, old, new, message):
  assert SMALL.count(old) == 1
  path = write(tmp_path, SMALL.replace(old, new))
  with pytest.raises(SkeletonError, match=message) as caught:
    read_skeleton(path)
  assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_keys_that_must_be_there_are_named(tmp_path):
  with pytest.raises(SkeletonError, match="sigmas is missing: .*one for all"):
    read_skeleton(write(tmp_path, without("sigmas")))
  with pytest.raises(SkeletonError, match="keypoints is empty"):
    read_skeleton(write(tmp_path, 'name = "a"\nkeypoints = []\nsigmas = 0.1\n'))


@pytest.mark.parametrize(
  "left, right",
  [
    *(("left_eye", "right_eye"), ("eye_left", "eye_right"), ("LEye", "REye")),
    *(("eye.L", "eye.R"), ("LeftEye", "RightEye"), ("l_eye", "r_eye")),
    *(("left", "right"), ("upper left lip", "upper right lip")),
  ],
)
def test_names_of_two_sides_must_be_paired(tmp_path, left, right):
  head = f'name = "a"\nkeypoints = ["{right}", "{left}"]\nsigmas = 0.1\n'
  with pytest.raises(SkeletonError, match=f"lacks .*{right}.*{left}"):
    read_skeleton(write(tmp_path, head))
  paired = write(tmp_path, f'{head}flip_pairs = [["{left}", "{right}"]]')
  assert read_skeleton(paired).flip_pairs == ((0, 1),)


def test_words_that_only_contain_a_side_are_no_sides(tmp_path):
  names = ["bright", "bleft", "fear", "feal", "collar", "corrar", "left_ear"]
  text = f'name = "a"\nkeypoints = {names}\nsigmas = 0.1\n'
  assert read_skeleton(write(tmp_path, text)).flip_pairs == ()


def test_skeletons_are_found_by_name_or_path(tmp_path):
  assert find_skeleton("lsp14") is LSP14
  assert find_skeleton(str(write(tmp_path, SMALL))).name == "bird"
  with pytest.raises(SkeletonError, match="'coco'.*mean coco17, or a path"):
    find_skeleton("coco")
  with pytest.raises(SkeletonError, match="cannot read .*none.toml: No such"):
    find_skeleton(str(tmp_path / "none.toml"))
  (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
  with pytest.raises(SkeletonError, match="latin.toml is no valid TOML"):
    find_skeleton(str(tmp_path / "latin.toml"))
