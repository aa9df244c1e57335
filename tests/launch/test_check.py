"""Configs: every file is right, every mistake gets its sentence."""

import importlib
import json
import pathlib

import pytest
from ml_collections import ConfigDict

from configs import base
from launch.check import check_config
from launch.check_eval import score_names
from launch.config_file import config_files
from launch.mistakes import ConfigError

ROOT = pathlib.Path(__file__).parents[2]
NAMES = [
  path.relative_to(ROOT / "configs").with_suffix("").as_posix()
  for path in config_files(ROOT / "configs")
]


def module(name):
  return importlib.import_module(f"configs.{name.replace('/', '.')}")


def load(name, variant=""):
  return module(name).get_config(variant)


def variants(name):
  """As the config itself lists them."""
  with pytest.raises(ValueError, match=r"it has .*debug") as caught:
    load(name, "?")
  return str(caught.value).split("it has ")[1].split(", ")


def drawn():
  return load("quickstart")


@pytest.mark.parametrize("name", NAMES)
def test_every_config_is_right_once_its_data_is_named(name):
  config = load(name)
  config.data.train.root = config.data.eval.root = "somewhere"
  check_config(config)
  assert config.is_locked
  check_config(load(name, "debug"))


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_is_right_and_differs_from_the_others(name):
  told = [json.dumps(load(name).to_dict())]
  for variant in variants(name):
    config = load(name, variant)
    config.data.train.root = config.data.eval.root = "somewhere"
    check_config(config)
    told.append(json.dumps(load(name, variant).to_dict()))
  assert len(set(told)) == len(told)


def test_the_papers_rows_are_there():
  assert {n.split("/")[1] for n in NAMES if n.startswith("paper000/")} >= {
    *("without_attention", "with_attention"),
    *("softmax", "gaussian", "transformer", "crf"),
  }
  assert {n.split("/")[1] for n in NAMES if n.startswith("paper001/")} == {
    *("baseline", "multi_semantics", "hru", "multi_resolution"),
    *("hierarchical", "softmax_2stacks", "crf_2stacks"),
  }
  sizes = ("128x96", "256x192", "384x288")
  hrnets = {f"hrnet_w{w}_{size}" for w in (32, 48) for size in sizes}
  resnets = {f"resnet{d}_{size}" for d in (50, 101, 152) for size in sizes}
  assert {f"coco_{network}" for network in hrnets | resnets} < set(NAMES)
  assert {n.split("/")[1] for n in NAMES if n.startswith("paper002/")} == {
    *("resnet50_128x96", "resnet101_128x96", "hrnet_w32_128x96"),
    *("hrnet_w48_128x96", "hrnet_w32_256x192", "hrnet_w48_384x288"),
    *("mpii_hrnet_w32", "mpii_hourglass"),
  }
  assert {n.split("/")[1] for n in NAMES if n.startswith("paper003/")} == {
    *("hrnet_w32_256x192", "hrnet_w48_256x192", "hrnet_w32_384x288"),
    *("hrnet_w48_384x288", "mpii_hrnet_w32", "mpii_hrnet_w48", "drawn"),
  }
  assert {n.split("/")[1] for n in NAMES if n.startswith("paper004/")} == {
    *("baseline1", "baseline2", "alexnet", "vgg"),
    *("cascade", "pose_machine", "drawn"),
  }
  regressors = {f"deeppose_resnet{depth}" for depth in (50, 101, 152)}
  assert {f"coco_{network}_256x192" for network in regressors} < set(NAMES)
  assert {f"mpii_{network}_256x256" for network in regressors} < set(NAMES)


def test_paper_and_release_of_chu_et_al_differ_as_they_do():
  """reference.md's table of ambiguities, as configs."""
  paper, release = (load("paper001/hierarchical", v) for v in ("", "release"))
  assert (
    paper.model.attention.to_dict()
    | dict(levels=1, refined="none", crf_start="unary_conv")
    == release.model.attention.to_dict()
  )
  assert paper.model.attention.refined == "crf"
  assert paper.model.attention.crf_kernel_size == 11
  assert (paper.model.stem, paper.model.neck) == ("standard", "residual")
  assert (release.model.stem, release.model.neck) == ("attention", "linear")
  assert release.model.with_background and not paper.model.with_background
  assert (paper.loss.name, release.loss.name) == ("mse", "torch_mse")
  assert (paper.loss.sigma_hm, release.loss.sigma_hm) == (1, 1.75)
  assert len(paper.eval.scales) == 6 and release.eval.scales == (1.0,)
  lsp = load("paper001/hierarchical", "lsp")
  assert lsp.model == paper.model and lsp.loss == paper.loss
  assert lsp.data.train.name == "mpii+lspet+lsp"
  assert lsp.schedule.num_steps == 60 * 3000


def test_paper_000_trains_and_scores_on_images_of_its_own():
  config = load("paper000/with_attention")
  parts = config.data.train, config.data.eval
  assert [part.portion for part in parts] == [(0, 80_000), (80_000, 85_000)]
  assert parts[0].annotations == parts[1].annotations
  assert parts[0].seed == parts[1].seed
  release = load("paper000/with_attention", "release")
  assert release.data.train.portion == release.data.eval.portion == ()
  assert release.loss.target_scale == 255
  assert release.model.attention.crf_kernel_size == 1
  crf = load("paper000/crf")
  assert crf.model == config.model


@pytest.mark.parametrize("name", NAMES)
def test_every_config_says_where_it_comes_from_and_what_to_expect(name):
  text = module(name).__doc__
  assert "Source:" in text and "Command:" in text
  assert "Published:" in text or "Expected:" in text or "measured" in text


@pytest.mark.parametrize("name", NAMES)
def test_configs_are_named_after_what_they_hold(name):
  assert load(name).name == name


def test_coco_recipe_is_the_published_one():
  config = load("coco_resnet50_384x288")
  augmentation = config.data.augmentation
  assert augmentation.scale_factor == 0.3 and augmentation.rotation_deg == 40
  assert augmentation.rotation_probability == 0.6
  assert augmentation.flip_probability == 0.5
  assert config.loss.sigma_hm == 3 and config.loss.unbiased is False
  assert config.optimizer.name == "adam"
  assert config.optimizer.learning_rate == 1e-3
  assert config.optimizer.weight_decay == 0
  assert config.schedule.num_epochs == 140
  assert tuple(config.schedule.boundaries_epochs) == (90, 120)
  assert config.schedule.batch_size == 128
  assert config.data.alignment == "corner"
  assert config.eval.decoder == "quarter" and config.eval.flip_test


def test_unknown_variants_are_answered_with_the_known():
  with pytest.raises(ValueError, match="no variant 'tiny'; it has debug"):
    load("quickstart", "tiny")


@pytest.mark.parametrize(
  "path, value, sentence",
  [
    ("model.name", "pose_resent", "did you mean pose_resnet"),
    ("model.dtype", "float16", "float32, bfloat16"),
    ("model.batch_norm_momentum", 7.0, "between 0 and 1"),
    ("model.depth", 42, "18, 34, 50, 101, 152"),
    ("data.alignment", "centre", "corner, unit"),
    ("data.skeleton", "coco", "did you mean coco17"),
    ("data.train.name", "lps", "did you mean lsp"),
    ("data.crop_hw", (100, 64), "multiples of 32"),
    ("data.augmentation.flip_probability", 1.5, "between 0 and 1"),
    (
      "data.augmentation.scale_factor",
      1.0,
      r"scale_factor must be in \[0, 1\)",
    ),
    ("loss.sigma_hm", 0.0, "above 0"),
    ("optimizer.name", "adamv", "did you mean adam"),
    ("optimizer.weight_decay", 1e-4, "use adamw"),
    ("schedule.name", "cosin", "did you mean cosine"),
    ("schedule.batch_size", 0, "at least 1"),
    ("checkpoint.best_metric", "PCK", "did you mean|it can be AP"),
    ("eval.decoder", "darc", "did you mean dark"),
    ("eval.blur_kernel", 10, "odd, positive size"),
    ("eval.metrics", ("oks",), "it can hold coco, pck"),
    ("eval.metrics", "coco", "must be like"),
    ("schedule.warmup_steps", 10**6, "does not fit"),
    ("data.augmentation.rotation_deg", 200.0, "rotation_deg"),
    ("data.mean_rgb", (0.5,), "three numbers"),
    ("data.std_rgb", (0.0, 1.0, 1.0), "above 0"),
    ("data.jitter.contrast", -1.0, "at least 0"),
    ("data.jitter.value_shift", -3.0, "at least 0"),
    ("data.jitter.blur_probability", 1.1, "between 0 and 1"),
    ("data.jitter.median_max_size", 4, "between 3 and 15, got 4"),
    ("data.occlusion.min_size", 0.7, "must not be above max_size 0.4"),
    ("data.occlusion.fill", "means", "did you mean mean"),
    ("data.augmentation.scale_distribution", "power", "power_of_two"),
    ("data.augmentation.half_body_probability", 3.0, "between 0 and 1"),
    ("data.augmentation.half_body_min_keypoints", 0, "at least 2, got 0"),
    ("optimizer.b1", 2.0, "between 0 and 1"),
    ("optimizer.learning_rate", float("inf"), "must be like"),
    ("seed", "a", "must be like 0"),
    ("model.deconv_filters", 5, "must be like"),
    ("schedule", 3, "must be a section"),
    ("loss.target_scale", 0.0, "above 0"),
    ("model.attention.part", "cfr", "none, softmax, gaussian, .*, crf, got"),
    ("model.attention.levels", 4, "pyramid has 3"),
    ("model.attention.refined", "crf", "without attention.holistic"),
    ("model.attention", "crf", "must be a section"),
    ("model.deconv_strides", (2, 2), "for each of the 3"),
    ("data.train.portion", (3,), "wanted .first, last."),
  ],
)
def test_mistakes_are_named_with_what_would_be_right(path, value, sentence):
  config = drawn()
  with config.unlocked(), config.ignore_type():
    section = config
    *parents, key = path.split(".")
    for parent in parents:
      section = section[parent]
    section[key] = value
  with pytest.raises(ConfigError, match=sentence) as caught:
    check_config(config)
  assert path.split(".")[0] in str(caught.value)


@pytest.mark.parametrize(
  ("settings", "sentence"),
  [
    ({"decoder": "weighted", "weighted_n": 10_000}, "eval.weighted_n: n is"),
    (
      {"decoder": "weighted", "weighted_window": 4},
      "eval.weighted_window: window must be odd",
    ),
    ({"decoder": "dark", "blur_kernel": 4}, "eval.blur_kernel: a blur kernel"),
    (
      {"sweep": {"decoder": ("dark",)}, "decoder": "argmax", "blur_kernel": 4},
      "eval.blur_kernel: a blur kernel",
    ),
  ],
)
def test_a_decoder_that_does_not_fit_the_map_is_refused_at_once(
  settings, sentence
):
  config = drawn()
  config.eval.update(settings)
  with pytest.raises(ConfigError, match=sentence):
    check_config(config)


def test_suppression_that_divides_by_its_threshold_wants_one():
  config = drawn()
  config.eval.update(nms="soft_oks", nms_threshold=0.0)
  with pytest.raises(ConfigError, match="nms_threshold is 0: soft_oks divides"):
    check_config(config)
  config.eval.nms = "oks"
  check_config(config)


@pytest.mark.parametrize("scales", [("small",), ((1.0, "small"),), (1.0,)])
def test_scales_of_a_sweep_are_pyramids_of_numbers(scales):
  config = drawn()
  config.eval.sweep.scales = scales
  with pytest.raises(ConfigError, match="eval.sweep.scales has"):
    check_config(config)


def test_training_measures_what_its_best_checkpoint_is_chosen_by():
  config = drawn()
  config.data.skeleton = "lsp14"
  config.eval.update(metrics=("coco", "pck"), boxes="detector.json")
  config.checkpoint.best_metric = "PCK@0.2"  # of a detector's boxes: none
  with pytest.raises(ConfigError, match="checkpoint.best_metric"):
    check_config(config)
  check_config(config, parts=("eval",))
  config.eval.boxes = "ground_truth"
  check_config(config)


@pytest.mark.parametrize(
  "name", ["located@1/12_mean", "presence_balanced_accuracy_chosen"]
)
def test_a_checkpoint_may_be_best_by_location_or_presence(name):
  config = drawn()
  config.checkpoint.best_metric = name
  assert name not in score_names(config)
  config.eval.metrics = ("located", "presence")
  assert name in score_names(config)


def test_a_threshold_of_presence_is_a_probability():
  config = drawn()
  config.eval.presence_threshold = 63.0
  with pytest.raises(ConfigError, match="presence_threshold is 63.0: it is a"):
    check_config(config)


def test_all_mistakes_are_listed_at_once():
  config = drawn()
  config.eval.decoder, config.optimizer.name = "darc", "adm"
  with pytest.raises(ConfigError) as caught:
    check_config(config)
  assert "eval.decoder" in str(caught.value)
  assert "optimizer.name" in str(caught.value)


def test_mistakes_of_data_hide_no_others_and_none_is_said_twice():
  config = load("lsp_resnet50")
  config.data.crop_hw, config.optimizer.weight_decay = (100, 64), 0.1
  with pytest.raises(ConfigError) as caught:
    check_config(config)
  said = str(caught.value)
  assert "multiples of 32" in said and "use adamw" in said
  assert said.count("data.train.root must be") == 1
  config.data.crop_hw = (128,)
  with pytest.raises(ConfigError, match=r"root must .*") as caught:
    check_config(config)
  assert "data.crop_hw is (128,): it must be (height, width)" in str(
    caught.value
  )


def test_only_ohkm_must_find_as_many_keypoints_as_it_takes():
  config = drawn()
  config.loss.ohkm_top_k = 18
  check_config(config)
  config.loss.name = "ohkm"
  with pytest.raises(
    ConfigError, match="coco17 has 17 .*--config.loss.ohkm_top_k=17"
  ):
    check_config(config)


def test_keys_must_be_those_of_the_base():
  config = ConfigDict(base.get_config())
  config.loss.sigma = 2.0
  with pytest.raises(ConfigError, match="loss.sigma: did you mean sigma_hm"):
    check_config(config)
  config = ConfigDict(base.get_config())
  del config.loss.sigma_hm
  with pytest.raises(ConfigError, match="lacks loss.sigma_hm"):
    check_config(config)
  config = ConfigDict(base.get_config())
  config.model.attention.holistics = "crf"
  with pytest.raises(
    ConfigError, match="model.attention.holistics: did you mean holistic"
  ):
    check_config(config)


def test_only_the_data_sets_that_are_opened_need_a_folder():
  config = load("coco_resnet50_256x192")
  with pytest.raises(ConfigError, match="data.train.root must be the folder"):
    check_config(config)
  config.data.eval.root = "somewhere"
  check_config(config, parts=("eval",))
