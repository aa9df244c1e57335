"""Every key that a config can have, with its default and its unit.

An experiment file starts from `get_config()` here, changes only what differs
and says in its docstring where it comes from and what to expect. `finish`
applies the variants that every file has and locks the keys.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from configs import debug


def _dataset(name: str) -> ConfigDict:
  """Where people and pictures come from; see `pose_jax/data/datasets.py`."""
  return ConfigDict(
    dict(
      # coco, mpii, lsp, lspet, drawn; "a+b" joins two, whose root, data_dir,
      # annotations, images, split and boxes may be joined by "+" likewise
      name=name,
      root=placeholder(str),  # folder of the raw files; drawn writes there
      data_dir="",  # instead of root: what launch.prepare wrote
      annotations="",  # coco: JSON file, below root; mpii: the release's .mat
      images="",  # coco, mpii: folder of pictures, below root
      split="",  # mpii: train, valid; lsp: train, test; lspet: train, val, all
      boxes="keypoints",  # lsp, lspet: box round keypoints, or whole image
      weights=(),  # of joined sets: how often an epoch shows their people
      keypoint_map=(),  # ("neck=nape",): skeleton's neck is the data's nape
      portion=(),  # (first, last) images in an order that seed draws; (): all
      num_images=0,  # drawn
      seed=0,  # of the pictures of drawn, and of portion's order
    )
  )


def _data() -> ConfigDict:
  """People, pictures, crops and how they vary."""
  return ConfigDict(
    dict(
      train=_dataset("drawn"),
      eval=_dataset("drawn"),
      skeleton="coco17",  # mpii16, lsp14, or one's own: FILE.toml
      crop_hw=(256, 192),  # network input, pixels
      # corner (HRNet's), unit (DARK's), udp (UDP's): pose_jax/geometry.py. A
      # row of UDP also sets loss.unbiased and decodes with dark (its blur is 7
      # in UDP's code, 11 in mmpose's); flipped maps need no shift by themselves
      alignment="corner",
      padding=1.25,  # growth of a box before it is cropped
      keep_aspect=True,  # False: the box is stretched to the crop's aspect
      mean_rgb=(0.485, 0.456, 0.406),  # ImageNet's, of pixels in 0..1
      std_rgb=(0.229, 0.224, 0.225),
      # bgr: blue first, and the first mean is blue's, although ImageNet's is
      # red's: so SimpleBaseline's, HRNet's and DARK's authors train ResNets
      channel_order="rgb",
      reduced_decoding=True,  # decode large photographs at reduced size
      num_workers=0,  # processes that decode; 0: threads of this one
      num_threads=0,  # threads that decode, per process; 0: one per processor
      augmentation=dict(
        # uniform, clipped_normal (HRNet's: scales at one deviation, angles at
        # two), truncated_normal (mmpose's); see pose_jax/data/augment.py
        scale_factor=0.0,  # s of U(1 - s, 1 + s)
        scale_distribution="uniform",  # also power_of_two: 2^N(0, s), Newell's
        rotation_deg=0.0,  # r of U(-r, r)
        rotation_distribution="uniform",  # also one_sided: U(0, r)
        rotation_probability=0.0,
        translation_fraction=0.0,  # of the padded box, each way
        translation_distribution="uniform",  # or truncated_normal
        translation_probability=0.0,
        flip_probability=0.0,
        flip_per_batch=False,  # one draw for all of a step: Chu et al.'s code
        half_body_probability=0.0,  # of people with enough keypoints
        half_body_min_keypoints=9,  # labelled; HRNet writes: more than 8
        half_body_upper_probability=0.5,  # HRNet's coin: 0.6914624612740131
        half_body_padding=1.5,  # of the half's box, in place of data.padding
      ),
      jitter=dict(  # colours, on the device; each factor from U(1 -+ a)
        channel_gain=0.0,  # of each channel by itself
        channel_gain_probability=1.0,
        brightness=0.0,
        brightness_probability=1.0,
        contrast=0.0,
        contrast_probability=1.0,
        saturation=0.0,
        saturation_probability=1.0,
        hue_shift=0.0,  # of 180: OpenCV's units; shifts from U(-a, a)
        saturation_shift=0.0,  # of 255
        value_shift=0.0,  # of 255
        hsv_probability=1.0,  # of each of the three shifts by itself
        grey_probability=0.0,
        blur_probability=0.0,  # mean of a window
        blur_max_size=7,  # side of the largest window, crop pixels; from 3
        median_probability=0.0,
        median_max_size=7,
      ),
      occlusion=dict(  # rectangles that cover the crop, on the device
        probability=0.0,
        min_holes=1,
        max_holes=1,
        min_size=0.2,  # of the crop's height, and of its width
        max_size=0.4,
        fill="constant",  # fill_rgb; mean (of the crop), noise
        fill_rgb=(0.0, 0.0, 0.0),  # 0..255
      ),
    )
  )


def _attention() -> ConfigDict:
  """In front of the heatmaps; see `pose_jax/models/attention.py`."""
  return ConfigDict(
    dict(
      # each none, softmax, gaussian, transformer, crf
      holistic="none",  # one map from all levels
      refined="none",  # a second one, from features that holistic went over
      part="none",  # one map for each keypoint
      levels=0,  # how many of the finest levels holistic reads; 0: all
      summary_size=3,  # kernel of the convolution to softmax's and crf's map
      crf_kernel_size=3,  # odd, 1 to 15
      crf_steps=3,
      crf_start="unary_conv",  # the authors' code; or sigmoid_unary
      # False, with unary_conv, 4 steps and no bias: Chu et al.'s Eq. 8.
      crf_keep_unary=True,
      crf_bias=True,
      crf_damping=0.0,  # share of the old map that a step keeps
      crf_shared=False,  # one kernel for all maps
      crf_separable=False,  # the kernel is a column times a row
      crf_constant_memory=False,  # of the backward pass, however many steps
      gaussian_count=0,  # Gaussians per axis; 0: as many as it has pixels
      gaussian_grid=1,  # cells per axis that features are averaged over
      transformer_grid=4,
    )
  )


def _poserenet() -> ConfigDict:
  """Behind the heatmaps; see `pose_jax/models/poserenet_options.py`."""
  return ConfigDict(
    dict(
      aggregation="none",  # mean, sum, learned; none: no plug-in
      channel_attention="se",  # the paper's Eq. 4; or eca, over neighbours
      fusion="pool",  # the lifted map is averaged 2x2; enlarge: the others grow
      stages="last",  # of a network of several, refine the last or all
      decode="aggregate",  # or lifted, at twice the resolution
      identity_init=False,  # starts as the network alone: for trained weights
    )
  )


def _model() -> ConfigDict:
  """The network; which keys there are depends on its name."""
  return ConfigDict(
    dict(
      name="pose_resnet",
      depth=50,
      width=64,  # channels of the stem; 64 is the published network
      deconv_filters=(256, 256, 256),
      deconv_strides=(2, 2, 2),  # 2 doubles the map, 1 keeps its size
      deconv_kernels=(4, 4, 4),  # 4 where the stride is 2, 3 where it is 1
      attention=_attention(),
      poserenet=_poserenet(),
      presence=False,  # a head that says which keypoints are in the crop
      soft_argmax=False,  # coordinates as means over the heatmaps
      dtype="float32",  # of the computation; parameters stay float32
      sync_batch_norm=False,  # batch statistics over all devices
      batch_norm_momentum=0.9,  # Flax's meaning: torch's 0.1
    )
  )


def _init() -> ConfigDict:
  """What a run starts from; see `launch/initial_weights.py`."""
  return ConfigDict(
    dict(
      # a file (.pth, .safetensors, .npz), a run's folder or its
      # checkpoints/STEP; read at step 0 alone. "": random numbers
      weights="",
      part="backbone",  # body (all but the head), all
    )
  )


def _loss() -> ConfigDict:
  """What the heatmaps are compared with, and how."""
  return ConfigDict(
    dict(
      # Or ohkm, torch_mse (no weights, no half), caffe_sse (a sum, no mean).
      name="mse",
      ohkm_top_k=8,
      sigma_hm=2.0,  # target Gaussian, heatmap pixels
      unbiased=False,  # True: DARK's target; False: HRNet's, on the grid
      target_scale=1.0,  # height of a target's peak; scores stay in 0..1
      background="rest",  # of a background map: what keypoints leave; highest
      stage_weights=(),  # of each supervised stage, first to last; (): all 1
      lifted_weight=1.0,  # of maps at twice the size: PoseReNet's
      link_weight=0.2,  # of link maps: networks with skeletal=True
      link_sigma_hm=1.0,  # a link's deviation, heatmap pixels
      presence_weight=1.0,  # of presence: networks that say it
      coordinates="l2",  # of regressed ones: l2, l1, smooth_l1, rle
      coordinates_weight=1.0,
      weight_penalty=0.0,  # times the squares of all kernels that are trained
    )
  )


def _optimizer() -> ConfigDict:
  """How a gradient becomes an update."""
  return ConfigDict(
    dict(
      name="adam",  # adam, adamw, sgd, rmsprop
      learning_rate=1e-3,
      weight_decay=0.0,
      momentum=0.0,
      b1=0.9,
      b2=0.999,
      eps=1e-8,
      clip_norm=0.0,  # 0: no clipping
      frozen=(),  # modules of the network that stay as they are: ("backbone",)
    )
  )


def _schedule() -> ConfigDict:
  """Learning rate over time, and how long the run is."""
  return ConfigDict(
    dict(
      name="step",  # step, cosine, flat_cosine, constant
      batch_size=32,  # people per step, all devices and processes together
      num_epochs=140,
      num_steps=0,  # above 0: overrides num_epochs
      boundaries_epochs=(90, 120),
      boundaries_steps=(),  # where given: instead of boundaries_epochs
      factor=0.1,  # step: at each boundary; flat_cosine: in the end
      warmup_steps=0,
    )
  )


def _second_phase() -> ConfigDict:
  """What a run goes on with where the first phase ends; off at first.

  The first phase is what `loss`, `optimizer` and `schedule` say. The second
  starts from its weights, with an optimiser of its own; batch size, targets
  and data stay.
  """
  schedule = _schedule()
  del schedule["batch_size"]
  schedule.update(num_epochs=0, boundaries_epochs=())  # both 0: no phase
  return ConfigDict(
    dict(
      loss=dict(presence_weight=0.0, coordinates_weight=1.0),
      optimizer=_optimizer(),
      schedule=schedule,  # counted from the start of the phase
    )
  )


def _checkpoint() -> ConfigDict:
  """What is kept of a run."""
  return ConfigDict(
    dict(
      every_steps=0,  # 0: with every evaluation
      keep_latest=1,
      keep_best=1,
      best_metric="AP",
    )
  )


def _eval() -> ConfigDict:
  """How a state is scored."""
  return ConfigDict(
    dict(
      every_steps=0,  # 0: at the end only
      batch_size=64,  # people, all devices of one process together
      # coco (AP, AR), pck, pckh, pcp, located (within a twelfth of the box,
      # stretched to a square), presence (of networks that say it)
      metrics=("coco",),
      presence_threshold=0.5,  # below it a keypoint is reported as absent
      pckh_variant="hrnet",  # or mmpose, pytorch_pose: how PCKh counts
      boxes="ground_truth",  # a detector's results file, or moved_0.1: moved
      flip_test=True,
      scales=(1.0,),  # of the test pyramid
      clip_negative=False,  # maps below 0, before they are averaged over scales
      decoder="dark",  # argmax, quarter, dark, weighted; coordinates: regressed
      stage=0,  # which one is decoded, from 1, of several; 0: the last
      blur_kernel=11,  # dark
      weighted_n=20,  # weighted
      weighted_window=0,  # weighted: side (odd), heatmap pixels; 0: whole map
      nms="none",  # between people: none, oks, soft_oks
      nms_threshold=0.9,  # OKS
      nms_padded_area=False,  # True: area of the padded box, as HRNet's code
      diagnosis=True,  # kinds of errors, their cost, AP of each keypoint
      bootstrap_samples=1000,  # of the images, for 95 % intervals; 0: none
      sweep=dict(  # further values; all combinations in the same pass
        boxes=(),
        flip_test=(),
        scales=(),  # of pyramids: ((0.9, 1.0, 1.1),)
        decoder=(),
      ),
    )
  )


def get_config() -> ConfigDict:
  """All keys; unlocked, for experiment files to change."""
  config = ConfigDict()
  config.name = "base"
  config.seed = 0
  config.data = _data()
  config.model = _model()
  config.init = _init()
  config.loss = _loss()
  config.optimizer = _optimizer()
  config.schedule = _schedule()
  config.second_phase = _second_phase()
  config.checkpoint = _checkpoint()
  config.eval = _eval()
  config.log = ConfigDict(dict(every_steps=100))
  return config


def finish(config: ConfigDict, variant: str, variants: tuple[str, ...] = ()):
  """Applies `:debug`, refuses unknown variants, locks the keys.

  Args:
    config: the experiment's.
    variant: what stood behind the colon.
    variants: what the experiment's own file has applied already.
  Raises:
    ValueError: naming the variants that exist.
  """
  known = ("", "debug", *variants)
  if variant not in known:
    raise ValueError(
      f"{config.name} has no variant {variant!r}; it has "
      f"{', '.join(v for v in known if v)}"
      + (
        ", one at a time: debug stands instead of the others"
        if ":" in variant
        else ""
      )
    )
  if variant == "debug":
    shrink(config)
  return config.lock()


def shrink(config: ConfigDict) -> None:
  """Drawn people, tiny sizes, two steps: under a minute on a CPU."""
  debug.shrink(config, _dataset)
