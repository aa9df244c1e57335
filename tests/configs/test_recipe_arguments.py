"""Arguments of recipes: size of the crop, a paper against its release."""

from configs import base, recipes


def config_of(name, **arguments):
  config = base.get_config().lock()
  config.update(recipes.RECIPES[name](**arguments))
  return config


def test_sizes_change_what_the_publications_change():
  big = dict(crop_hw=(384, 288))
  assert config_of("hrnet_coco", **big, batch_size=96).loss.sigma_hm == 3
  assert config_of("simple_baseline_coco", **big).loss.sigma_hm == 3
  assert config_of("dark_coco", **big).loss.sigma_hm == 3
  assert config_of("dark_coco", **big).eval.blur_kernel == 11
  assert config_of("dark_coco").eval.blur_kernel == 3
  middle = config_of("dark_coco", crop_hw=(256, 192))
  assert (middle.loss.sigma_hm, middle.eval.blur_kernel) == (2, 11)


def test_subramanians_code_differs_from_the_paper():
  paper, code = config_of("subramanian"), config_of("subramanian", release=True)
  for config in (paper, code):
    assert config.eval.decoder == "quarter" and not config.eval.flip_test
    assert config.loss.sigma_hm == 2 and config.data.crop_hw == (256, 192)
    assert config.optimizer.learning_rate == 5e-4
  assert (paper.loss.target_scale, code.loss.target_scale) == (1, 255)
  assert code.schedule.num_epochs == 140
  assert tuple(code.schedule.boundaries_epochs) == (90, 120)
  simple = config_of("simple_baseline_coco").data.augmentation
  assert code.data.augmentation == simple


def test_chus_paper_differs_from_the_release():
  paper, code = config_of("chu", paper=True), config_of("chu")
  assert (paper.loss.sigma_hm, code.loss.sigma_hm) == (1, 1.75)
  assert paper.eval.scales == (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
  assert paper.eval.clip_negative and not code.eval.clip_negative
  assert code.eval.scales == (1.0,)
  of_paper, of_code = paper.data.augmentation, code.data.augmentation
  assert of_paper.rotation_deg == of_code.rotation_deg == 30
  assert of_paper.rotation_distribution == "uniform"  # never beyond 30 degrees
  assert of_code.rotation_distribution == "clipped_normal"
  assert (of_paper.rotation_probability, of_code.rotation_probability) == (
    (1, 0.4)
  )
  assert of_code.flip_per_batch and not of_paper.flip_per_batch
  code.data.augmentation = of_paper
  for section in ("data", "optimizer", "schedule"):
    assert paper[section] == code[section]


def test_rtmposes_last_epochs_are_milder():
  config = config_of("rtmpose_m", last_epochs=True)
  a = config.data.augmentation
  assert (a.scale_factor, a.rotation_deg, a.translation_fraction) == (
    (0.25, 60, 0)
  )
  assert config.data.occlusion.probability == 0.5
  assert config.data.jitter == config_of("rtmpose_m").data.jitter
