"""The README is true: its files exist and nothing is left to fill in."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = ("README.md", "benchmarks/README.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
  text = (ROOT / page).read_text(encoding="utf-8")
  links = re.findall(r"\]\(([^)#]+)\)", text)
  for link in links:
    assert "://" not in link, f"{page} names a host: {link}"
    assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page):
  text = (ROOT / page).read_text(encoding="utf-8")
  names = re.findall(r"`((?:pose_jax|configs|launch|tests)/[\w/]+\.py)", text)
  for name in names:
    if "NAME" not in name:
      assert (ROOT / name).exists(), f"{page}: {name}"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_fill_in(page):
  text = (ROOT / page).read_text(encoding="utf-8")
  assert not re.findall(r"PLACEHOLDER|\bQS_|\bXX+\b", text)


def test_commands_of_the_readme_exist():
  text = (ROOT / "README.md").read_text(encoding="utf-8")
  makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
  for target in re.findall(r"make (\w+)\b", text):
    if target in ("quickstart", "test"):
      assert f"\n{target}:" in makefile
  for module in set(re.findall(r"python -m (launch\.\w+)", text)):
    assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module
